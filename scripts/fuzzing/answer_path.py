"""Fuzzing of one answer: the HTTP reader and every backend must give the same result however the bytes are split.

An input is three bytes of settings, then the bytes of the server. It is read at once, in pieces and byte by byte.
Nothing but MalformedAnswerError may be raised by that.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from collector.records.record import ErrorKind
from loadgen.backends import BACKENDS, ParsedAnswer
from loadgen.engine.answer_handler import AnswerHandler, ExpectedMedia
from loadgen.transport.answer_reader import SCRATCH, AnswerReader
from loadgen.transport.buffer_pool import BufferPool
from loadgen.transport.interface import Answer
from loadgen.transport.malformed import MalformedAnswerError

LIMITS: Final = (0, 10, 1000, 1 << 30)  # of a body's bytes
_SCRATCH: Final = memoryview(bytearray(SCRATCH))
PIECES: Final = (1, 2, 3, 7, 64, 1000, SCRATCH)  # bytes a read
_BODY: Final = b'{"data":[{"b64_json":"aGk="}]}'
_CHAT: Final = b'{"choices":[{"message":{"content":[{"image_url":{"url":"data:image/png;base64,aGk="}}]}}]}'
_OK: Final = b"HTTP/1.1 200 OK\r\n"
GOOD: Final = _OK + b"Content-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
SEEDS: Final = (
    GOOD,
    _OK + b"Content-Length: %d\r\n\r\n%s" % (len(_CHAT), _CHAT),
    _OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n%s\r\n19\r\n%s\r\n0\r\nX: y\r\n\r\n" % (_BODY[:5], _BODY[5:]),
    _OK + b"Connection: close\r\n\r\n" + _BODY,
    b"HTTP/1.0 200 OK\r\n\r\n" + _BODY,
    b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + GOOD,
    _OK + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08",
    b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy",
    b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    GOOD + GOOD,
)


class End(NamedTuple):
    """How one reading ended: a whole answer, one that is still open, or a failure; and what the connection is good for."""

    kind: ErrorKind
    status: int
    body: bytes
    whole: bool
    head: bytes


def check(data: bytes) -> None:
    """Run one input; AssertionError, or whatever else is raised, is a finding."""
    limit, piece, closes = LIMITS[_nth(data, 0) % 4], PIECES[_nth(data, 1) % len(PIECES)], bool(_nth(data, 2) & 1)
    sent = data[3:]
    ends = [read(sent, limit, size, closes=closes) for size in (SCRATCH, piece, 1)]
    for end in ends:
        assert len(end.body) <= limit
        judge(end)
        assert _alike(ends[0], end), f"read at once {ends[0]}, in pieces {end}"


def _nth(data: bytes, place: int) -> int:
    return data[place] if len(data) > place else 0


def read(sent: bytes, limit: int, size: int, *, closes: bool) -> End:
    """Read what was sent, `size` bytes at a time, as a connection does; then the connection may close."""
    reader = AnswerReader(_SCRATCH, BufferPool(), limit)
    try:
        for piece in _pieces(reader, sent, size):
            if reader.received(piece):
                break
        if not reader.whole and closes:
            reader.ended()
    except MalformedAnswerError as broken:
        return End(broken.kind, 0, b"", whole=True, head=b"")
    end = End(ErrorKind.NONE, reader.status, bytes(reader.body) if reader.whole else b"", reader.whole, reader.head)
    if reader.whole and reader.reusable:
        _serves_again(reader)
    return end


def _pieces(reader: AnswerReader, sent: bytes, size: int) -> Iterator[int]:
    """Put bytes where the reader wants them; give how many it was."""
    place = 0
    while place < len(sent):
        buffer = reader.buffer()
        assert len(buffer) > 0, "no room for what comes"
        count = min(len(buffer), size, len(sent) - place)
        buffer[:count] = sent[place : place + count]
        place += count
        yield count


def _serves_again(reader: AnswerReader) -> None:
    """What is called reusable reads the next answer as if nothing had been."""
    reader.begin()
    for piece in _pieces(reader, GOOD, SCRATCH):
        try:
            whole = reader.received(piece)
        except MalformedAnswerError as broken:
            if broken.kind is not ErrorKind.BODY_TOO_LARGE:
                raise
            return
    assert whole
    assert reader.body == _BODY


def judge(end: End) -> None:
    """Say what the answer amounts to, in every dialect, as a sender does."""
    if not end.whole:
        return
    for backend in BACKENDS.values():
        answer = Answer(1, 2, 3, end.status, end.body, end.kind, "", head=end.head)
        answer_handler = AnswerHandler(backend, ExpectedMedia(backend.tasks[0]), None)  # type: ignore[arg-type]  # nothing is recorded
        reply = answer_handler.judge(answer)
        assert isinstance(reply, ParsedAnswer)
        assert reply.error or (end.status == 200 and end.body)


def _alike(one: End, other: End) -> bool:
    """Whether two readings of the same bytes agree. What follows a whole answer is seen by some and not by others."""
    if ErrorKind.BODY_OVERRUN in (one.kind, other.kind):
        return one.whole and other.whole
    return one == other
