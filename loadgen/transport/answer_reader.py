"""The answer reader: parses the HTTP/1.1 answers of one connection, without copying large bodies.

It does no I/O: `buffer` returns where to receive, `received` takes the number of bytes and returns whether the answer
is whole. A body of known length goes directly into one buffer of that size; the parser (llhttp) sees only its start.
"""

import re
from collections.abc import Collection, Mapping
from typing import Final

import httptools

from collector.records.record import ErrorKind
from loadgen.transport.answer_headers import HEAD_LIMIT, OBJECT, needs_head
from loadgen.transport.buffer_pool import BufferPool
from loadgen.transport.interface import NO_HEADERS
from loadgen.transport.malformed import MalformedAnswerError, overrun, too_large, too_long

SCRATCH: Final = 1 << 18  # bytes; copied out at once, so all connections of a loop share one scratch buffer
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*\r\n", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding:[^\r\n]*\bchunked[ \t]*\r\n", re.IGNORECASE)
_SMALL_PIECES: Final = 1024  # chunks of a body, before they are joined
_BEGINNINGS: Final = b"\r\nH"  # first bytes of what may follow an answer: stray line ends, an unsolicited answer
_INFORMATIONAL: Final = re.compile(rb"HTTP/\d\.\d 1\d\d")


class AnswerReader:
    """The parsing state of one connection. `limit` is the largest accepted body in bytes.

    `names`, in lower case, are the headers to keep. Without any there is no `on_header`, so that the parser makes no
    call per header. `head` is the raw head of a whole answer, empty where it is not needed (see answer_headers.py).
    """

    __slots__ = (
        "_buffer",
        "_buffers",
        "_filled",
        "_first",
        "_framed",
        "_head_parsed",
        "_joined",
        "_length",
        "_limit",
        "_names",
        "_parser",
        "_pieces",
        "_raw_head",
        "_received",
        "_scratch",
        "_without_body",
        "head",
        "headed",
        "headers",
        "on_header",
        "reusable",
        "status",
        "whole",
    )

    def __init__(self, scratch: memoryview, buffers: BufferPool, limit: int, names: Collection[str] = ()) -> None:
        self._scratch, self._buffers, self._limit = scratch, buffers, limit
        self._names = frozenset(name.encode() for name in names)
        if names:
            self.on_header = self._keep_header
        self._parser: httptools.HttpResponseParser | None = None
        self._pieces: list[bytes] = []  # of a body, except the first
        self.begin()

    def begin(self) -> None:
        """Reset the state for the next answer."""
        self._parser = self._parser or httptools.HttpResponseParser(self)
        self._first = self._raw_head = self.head = b""
        if self._pieces:
            self._pieces = []
        self._joined: bytearray | None = None
        self._buffer: memoryview | None = None
        self._received = self._filled = self._length = self._without_body = self.status = 0
        self.headers: Mapping[str, str] = NO_HEADERS
        self.headed = self._head_parsed = self._framed = self.whole = self.reusable = False

    @property
    def body(self) -> bytes | memoryview:
        """The body of a whole answer. A memoryview is of a pooled buffer, which the caller returns."""
        if self._buffer is not None:
            return self._buffer[: self._length]
        if self._joined is None:
            return b"".join((self._first, *self._pieces)) if self._pieces else self._first
        if self._pieces:
            self._join()
        return memoryview(self._joined)

    def buffer(self) -> memoryview:
        """Where to receive next. A body buffer has a spare byte, so that excess bytes are noticed."""
        return self._scratch if self._buffer is None else self._buffer[self._filled :]

    def received(self, count: int) -> bool:
        """Process `count` received bytes; return whether the answer is whole. Raises MalformedAnswerError."""
        if self._buffer is not None:
            return self._received_body(count)
        if count > HEAD_LIMIT:
            self._check_head()
        received = self._received
        assert self._parser is not None
        try:
            self._parser.feed_data(self._scratch[:count])
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._stop_parsing(error)
        if self._received > self._limit:
            raise too_large(self._received, self._limit)
        if self.whole:
            if self.status != 200 or self._first[:1] != OBJECT:
                self._keep_head(count)
        else:
            self._without_body = self._without_body + count if received == self._received else 0
            self._continue(count)
        return self.whole

    def ended(self) -> bool:
        """Process the end of the connection; return whether that completes the answer."""
        self.reusable = False
        self.whole = self.headed and not self._framed
        if self.whole:
            self._keep_head()
        return self.whole

    def _received_body(self, count: int) -> bool:
        self._filled += count
        self.whole = self._filled >= self._length
        if self._filled > self._length:
            self._check_excess()
        if self.whole:
            self._keep_head()
        return self.whole

    def _check_excess(self) -> None:
        """Handle bytes beyond Content-Length: no reuse, and a failure unless they may start another answer."""
        assert self._buffer is not None
        self.reusable = False
        if self._buffer[self._length] not in _BEGINNINGS:
            raise overrun()

    def _check_head(self) -> None:
        """Enforce the limit of the head even when one read exceeds it."""
        scratch = self._scratch.obj
        assert isinstance(scratch, bytearray)
        if not self.headed and scratch.find(b"\r\n\r\n", 0, HEAD_LIMIT) < 0:
            raise too_long(HEAD_LIMIT)

    def _stop_parsing(self, error: Exception) -> None:
        """Raise the parser's error, unless the body was too large before: the first error counts."""
        if isinstance(error, httptools.HttpParserUpgrade):
            raise MalformedAnswerError(ErrorKind.PROTOCOL, "the server asks to switch protocols") from None
        self._parser = None
        self.reusable = False
        if self._received <= self._limit:
            raise self._malformed(error) from None

    def _keep_head(self, count: int = 0) -> None:
        """Keep the head of a whole answer if needed; its last `count` bytes are in the scratch buffer."""
        start = self._first[:1] if self._buffer is None else bytes(self._buffer[:1])
        if needs_head(self.status, start):
            self.head = self._raw_head if self._head_parsed else _final_head(self._raw_head + self._scratch[:count])

    def _malformed(self, error: Exception) -> MalformedAnswerError:
        if self.whole:
            return overrun()
        return MalformedAnswerError(ErrorKind.BAD_CHUNK if self.headed else ErrorKind.PROTOCOL, f"not HTTP: {error}")

    def _continue(self, count: int) -> None:
        """Continue an answer of several reads: find how its body is delimited; get a buffer if by length."""
        if self._without_body > HEAD_LIMIT:
            raise too_long(self._without_body)
        if self._head_parsed:
            return
        self._raw_head += self._scratch[:count]
        if not self.headed:
            return
        self._head_parsed = True
        self._raw_head = head = _final_head(self._raw_head)
        self._framed = _CHUNKED.search(head) is not None
        if not self._framed and (length := _LENGTH.search(head)):
            self._framed = True
            self._start_buffer(int(length[1]))

    def _start_buffer(self, length: int) -> None:
        """Receive the rest of the body directly into its buffer, without the parser."""
        if length > self._limit:
            raise too_large(length, self._limit)
        assert self._parser is not None
        self.reusable = self._parser.should_keep_alive()
        self._parser = None
        self._buffer, self._length = self._buffers.take(length + 1), length
        self._filled = self._received
        self._buffer[: self._filled] = b"".join((self._first, *self._pieces))

    def _join(self) -> None:
        """Join the chunks: many small bytes objects take a multiple of their size."""
        if self._joined is None:
            self._joined = bytearray(self._first)
        self._joined += b"".join(self._pieces)
        self._pieces.clear()

    # Callbacks of the parser.

    def on_message_begin(self) -> None:
        if self.whole:
            self.reusable = False  # an unsolicited answer
            self._parser = None

    def _keep_header(self, name: bytes, value: bytes) -> None:
        if not self.whole and name.lower() in self._names:
            self.headers = {**self.headers, name.lower().decode(): value.decode("latin-1")}

    def on_headers_complete(self) -> None:
        if (parser := self._parser) is not None:
            self.status = status = parser.get_status_code()
            self.headed = not 100 <= status < 200  # informational answers (1xx) precede the final one

    def on_body(self, piece: bytes) -> None:
        if self.whole:
            return
        if not self.headed:
            raise ValueError(
                "an informational answer has no body"
            )  # raised into the parser, which stops and reports it
        if self._received:
            self._pieces.append(piece)
            if len(self._pieces) >= _SMALL_PIECES:
                self._join()
        else:
            self._first = piece  # the whole body in most cases
        self._received += len(piece)

    def on_message_complete(self) -> None:
        if self.headed and (parser := self._parser) is not None and not self.whole:
            self.whole = True
            self.reusable = parser.should_keep_alive()


def _final_head(raw: bytes) -> bytes:
    """The head of the final answer, without preceding informational ones (1xx)."""
    while True:
        head, _, raw = raw.partition(b"\r\n\r\n")
        if not _INFORMATIONAL.match(head):
            return head + b"\r\n"
