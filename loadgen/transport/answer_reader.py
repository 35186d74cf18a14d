"""Reads one HTTP/1.1 answer after the other off a connection, without a copy where a body is large.

It knows no socket: it says where the next bytes shall land, is told how many did, and says whether the answer is
whole. A body whose length is known goes straight into one buffer of that size; the parser (llhttp) sees only its head.
"""

import re
from collections.abc import Collection, Mapping
from typing import Final

import httptools

from collector.records.record import ErrorKind
from loadgen.transport.answer_headers import HEAD_LIMIT, OBJECT, may_tell
from loadgen.transport.buffer_pool import BufferPool
from loadgen.transport.interface import NO_HEADERS
from loadgen.transport.malformed import MalformedAnswerError, overrun, too_large, too_long

SCRATCH: Final = 1 << 18  # bytes that land here are copied out at once, so all connections of a loop share it
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*\r\n", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding:[^\r\n]*\bchunked[ \t]*\r\n", re.IGNORECASE)
_SMALL_PIECES: Final = 1024  # of a body, before they are put together
_BEGINNINGS: Final = b"\r\nH"  # of what may follow an answer: stray ends of lines, an answer that nobody asked for
_INFORMATIONAL: Final = re.compile(rb"HTTP/\d\.\d 1\d\d")


class AnswerReader:
    """State of one connection's reading. `limit` is the largest body in bytes that is taken.

    `names`, in lower case, are those of the headers that are kept. Without any the parser does not see an `on_header`,
    and calls nothing for each header of each answer. `head` is that of a whole answer, and empty where it has nothing
    to tell (see remarks.py).
    """

    __slots__ = (
        "_barren",
        "_buffers",
        "_filled",
        "_first",
        "_framed",
        "_gathered",
        "_length",
        "_limit",
        "_looked",
        "_names",
        "_parser",
        "_pieces",
        "_raw_head",
        "_received",
        "_room",
        "_scratch",
        "head",
        "headed",
        "headers",
        "on_header",
        "reusable",
        "status",
        "whole",
    )

    def __init__(
        self, temporary_folder: memoryview, buffers: BufferPool, limit: int, names: Collection[str] = ()
    ) -> None:
        self._scratch, self._buffers, self._limit = temporary_folder, buffers, limit
        self._names = frozenset(name.encode() for name in names)
        if names:
            self.on_header = self._keep_header
        self._parser: httptools.HttpResponseParser | None = None
        self._pieces: list[bytes] = []  # of a body, but for its first
        self.begin()

    def begin(self) -> None:
        """Expect an answer."""
        self._parser = self._parser or httptools.HttpResponseParser(self)
        self._first = self._raw_head = self.head = b""
        if self._pieces:
            self._pieces = []
        self._gathered: bytearray | None = None
        self._room: memoryview | None = None
        self._received = self._filled = self._length = self._barren = self.status = 0
        self.headers: Mapping[str, str] = NO_HEADERS
        self.headed = self._looked = self._framed = self.whole = self.reusable = False

    @property
    def body(self) -> bytes | memoryview:
        """The body of a whole answer. A memoryview is of a room, which its user gives back."""
        if self._room is not None:
            return self._room[: self._length]
        if self._gathered is None:
            return b"".join((self._first, *self._pieces)) if self._pieces else self._first
        if self._pieces:
            self._gather()
        return memoryview(self._gathered)

    def buffer(self) -> memoryview:
        """Where the next bytes shall land. A room has a byte to spare, so that what follows a body shows."""
        return self._scratch if self._room is None else self._room[self._filled :]

    def landed(self, count: int) -> bool:
        """Take `count` bytes that landed; return whether the answer is whole. Raises BrokenAnswerError."""
        if self._room is not None:
            return self._landed_in_room(count)
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
            self._barren = self._barren + count if received == self._received else 0
            self._go_on(count)
        return self.whole

    def ended(self) -> bool:
        """Take the end of the connection; return whether it is what makes the answer whole."""
        self.reusable = False
        self.whole = self.headed and not self._framed
        if self.whole:
            self._keep_head()
        return self.whole

    def _landed_in_room(self, count: int) -> bool:
        self._filled += count
        self.whole = self._filled >= self._length
        if self._filled > self._length:
            self._check_excess()
        if self.whole:
            self._keep_head()
        return self.whole

    def _check_excess(self) -> None:
        """More came than was promised: this connection is spoilt, and so is the answer unless that can be another."""
        assert self._room is not None
        self.reusable = False
        if self._room[self._length] not in _BEGINNINGS:
            raise overrun()

    def _check_head(self) -> None:
        """See that a head ends within the limit even where one read brings more than that."""
        temporary_folder = self._scratch.obj
        assert isinstance(temporary_folder, bytearray)
        if not self.headed and temporary_folder.find(b"\r\n\r\n", 0, HEAD_LIMIT) < 0:
            raise too_long(HEAD_LIMIT)

    def _stop_parsing(self, error: Exception) -> None:
        """Say what the parser minds, unless the body was too large before that: what came first counts."""
        if isinstance(error, httptools.HttpParserUpgrade):
            raise MalformedAnswerError(ErrorKind.PROTOCOL, "the server wants to switch protocols") from None
        self._parser = None
        self.reusable = False
        if self._received <= self._limit:
            raise self._broken(error) from None

    def _keep_head(self, count: int = 0) -> None:
        """Keep the head of a whole answer, the last `count` bytes of which just landed, if it may tell something."""
        start = self._first[:1] if self._room is None else bytes(self._room[:1])
        if may_tell(self.status, start):
            self.head = self._raw_head if self._looked else _final_head(self._raw_head + self._scratch[:count])

    def _broken(self, error: Exception) -> MalformedAnswerError:
        if self.whole:
            return overrun()
        return MalformedAnswerError(ErrorKind.BAD_CHUNK if self.headed else ErrorKind.PROTOCOL, f"not HTTP: {error}")

    def _go_on(self, count: int) -> None:
        """The answer takes more than one read: see how its end will be known, and make room if that is a length."""
        if self._barren > HEAD_LIMIT:
            raise too_long(self._barren)
        if self._looked:
            return
        self._raw_head += self._scratch[:count]
        if not self.headed:
            return
        self._looked = True
        self._raw_head = head = _final_head(self._raw_head)
        self._framed = _CHUNKED.search(head) is not None
        if not self._framed and (length := _LENGTH.search(head)):
            self._framed = True
            self._make_room(int(length[1]))

    def _make_room(self, length: int) -> None:
        """Let the rest of the body land in its place; the parser is of no use any more."""
        if length > self._limit:
            raise too_large(length, self._limit)
        assert self._parser is not None
        self.reusable = self._parser.should_keep_alive()
        self._parser = None
        self._room, self._length = self._buffers.take(length + 1), length
        self._filled = self._received
        self._room[: self._filled] = b"".join((self._first, *self._pieces))

    def _gather(self) -> None:
        """Put pieces into one memory: when they are many they are small, and take many times their size."""
        if self._gathered is None:
            self._gathered = bytearray(self._first)
        self._gathered += b"".join(self._pieces)
        self._pieces.clear()

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self.whole:
            self.reusable = False  # an answer that nobody asked for
            self._parser = None

    def _keep_header(self, name: bytes, value: bytes) -> None:
        if not self.whole and name.lower() in self._names:
            self.headers = {**self.headers, name.lower().decode(): value.decode("latin-1")}

    def on_headers_complete(self) -> None:
        if (parser := self._parser) is not None:
            self.status = status = parser.get_status_code()
            self.headed = not 100 <= status < 200  # informational ones come before the answer

    def on_body(self, piece: bytes) -> None:
        if self.whole:
            return
        if not self.headed:
            raise ValueError("an informational answer has no body")  # to the parser, which stops and says so
        if self._received:
            self._pieces.append(piece)
            if len(self._pieces) >= _SMALL_PIECES:
                self._gather()
        else:
            self._first = piece  # which is all of most bodies
        self._received += len(piece)

    def on_message_complete(self) -> None:
        if self.headed and (parser := self._parser) is not None and not self.whole:
            self.whole = True
            self.reusable = parser.should_keep_alive()


def _final_head(raw: bytes) -> bytes:
    """The head of the final answer, which informational ones (1xx) may come before."""
    while True:
        head, _, raw = raw.partition(b"\r\n\r\n")
        if not _INFORMATIONAL.match(head):
            return head + b"\r\n"
