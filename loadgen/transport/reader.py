"""Reads one HTTP/1.1 answer after the other off a connection, without a copy where a body is large.

It knows no socket: it says where the next bytes shall land, is told how many did, and says whether the answer is
whole. A body whose length is known goes straight into one buffer of that size; the parser (llhttp) sees only its head.
"""

import re
from collections.abc import Collection, Mapping
from typing import Final

import httptools

from collector.record import ErrorKind
from loadgen.transport.rooms import Rooms
from loadgen.transport.seam import NO_HEADERS

SCRATCH: Final = 1 << 18  # bytes that land here are copied out at once, so all connections of a loop share it
HEAD_LIMIT: Final = 1 << 20  # an answer's head is less than this
_FINAL: Final = 200  # statuses below are informational: another answer follows
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_INFORMATIONAL: Final = re.compile(rb"HTTP/\d\.\d 1\d\d")


class BrokenAnswerError(Exception):
    """The bytes are no answer, or one that is too large; `kind` says which."""

    def __init__(self, kind: ErrorKind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


class AnswerReader:
    """State of one connection's reading. `limit` is the largest body in bytes that is taken.

    `names`, in lower case, are those of the headers that are kept. Without any the parser does not see an `on_header`,
    and calls nothing for each header of each answer.
    """

    __slots__ = (
        "_body",
        "_filled",
        "_framed",
        "_head",
        "_headed",
        "_limit",
        "_names",
        "_parser",
        "_pieces",
        "_received",
        "_rooms",
        "_scratch",
        "headers",
        "on_header",
        "reusable",
        "status",
        "whole",
    )

    def __init__(self, scratch: memoryview, rooms: Rooms, limit: int, names: Collection[str] = ()) -> None:
        self._scratch, self._rooms, self._limit = scratch, rooms, limit
        self._names = frozenset(name.encode() for name in names)
        if names:
            self.on_header = self._keep_header
        self._parser: httptools.HttpResponseParser | None = None
        self.begin()

    def begin(self) -> None:
        """Expect an answer."""
        self._parser = self._parser or httptools.HttpResponseParser(self)
        self._pieces: list[bytes] = []
        self._body: memoryview | None = None
        self._head = b""
        self._received = self._filled = self.status = 0
        self.headers: Mapping[str, str] = NO_HEADERS
        self._headed = self._framed = self.whole = self.reusable = False

    @property
    def body(self) -> bytes | memoryview:
        """The body of a whole answer. A memoryview is of a room, which its user gives back."""
        if self._body is not None:
            return self._body
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)

    def buffer(self) -> memoryview:
        """Where the next bytes shall land."""
        return self._scratch if self._body is None else self._body[self._filled :]

    def landed(self, count: int) -> bool:
        """Take `count` bytes that landed; return whether the answer is whole. Raises BrokenAnswerError."""
        if self._body is not None:
            self._filled += count
            self.whole = self._filled == len(self._body)
            return self.whole
        self._feed(self._scratch[:count])
        if not (self.whole or self._framed):
            self._find_frame(count)
        return self.whole

    def ended(self) -> bool:
        """Take the end of the connection; return whether it is what makes the answer whole."""
        self.reusable = False
        self.whole = self._headed and not self._framed
        return self.whole

    def _feed(self, data: memoryview) -> None:
        assert self._parser is not None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise BrokenAnswerError(ErrorKind.PROTOCOL, "the server wants to switch protocols") from None
        except httptools.HttpParserError as error:
            self._parser = None
            self.reusable = False
            if not self.whole:  # rubbish behind a whole answer spoils the connection, not the answer
                raise BrokenAnswerError(ErrorKind.PROTOCOL, f"not HTTP: {error}") from None
        if self._received > self._limit:
            raise self._too_large(self._received)

    def _find_frame(self, count: int) -> None:
        """The answer takes more than one read: see how its end will be known, and make room if that is a length."""
        self._head += self._scratch[:count]
        if not self._headed:
            if len(self._head) > HEAD_LIMIT:
                raise BrokenAnswerError(ErrorKind.PROTOCOL, f"a head of more than {HEAD_LIMIT} bytes")
            return
        head = _final_head(self._head)
        if length := _LENGTH.search(head):
            self._make_room(int(length[1]))
        self._framed = length is not None or _CHUNKED.search(head) is not None
        self._head = b""

    def _make_room(self, length: int) -> None:
        """Let the rest of the body land in its place; the parser is of no use any more."""
        if length > self._limit:
            raise self._too_large(length)
        assert self._parser is not None
        self.reusable = self._parser.should_keep_alive()
        self._parser = None
        self._body = self._rooms.take(length)
        self._filled = self._received
        self._body[: self._filled] = b"".join(self._pieces)

    def _too_large(self, length: int) -> BrokenAnswerError:
        return BrokenAnswerError(
            ErrorKind.OVERSIZED, f"a body of {length} bytes or more, where --max-body-bytes allows {self._limit}"
        )

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self.whole:
            self.reusable = False  # an answer that nobody asked for
            self._parser = None

    def _keep_header(self, name: bytes, value: bytes) -> None:
        if not self.whole and name.lower() in self._names:
            self.headers = {**self.headers, name.lower().decode(): value.decode("latin-1")}

    def on_headers_complete(self) -> None:
        assert self._parser is not None or self.whole
        if self._parser is not None:
            self.status = self._parser.get_status_code()
            self._headed = self.status >= _FINAL

    def on_body(self, piece: bytes) -> None:
        if not self.whole:
            self._pieces.append(piece)
            self._received += len(piece)

    def on_message_complete(self) -> None:
        if self._headed and self._parser is not None and not self.whole:
            self.whole = True
            self.reusable = self._parser.should_keep_alive()


def _final_head(raw: bytes) -> bytes:
    """The head of the final answer, which informational ones (1xx) may come before."""
    while True:
        head, _, raw = raw.partition(b"\r\n\r\n")
        if not _INFORMATIONAL.match(head):
            return head + b"\r\n"
