"""A connection of the native transport: writes a request with one system call and timestamps the answer."""

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol, cast

from collector.records.record import RETRIED, ErrorKind
from loadgen.clock import now_ns
from loadgen.transport.answer_reader import AnswerReader
from loadgen.transport.buffer_pool import BufferPool
from loadgen.transport.error_kinds import PEER_CLOSED, cut_kind
from loadgen.transport.interface import JUST_CLOSED_NS, NO_JOB, Answer
from loadgen.transport.malformed import MalformedAnswerError


class Pool(Protocol):
    """The part of the transport that a connection uses. `idle` holds connections in order of use."""

    idle: "dict[Connection, None]"
    buffers: BufferPool

    def wait(self, exchange: "NativeExchange") -> None:
        """Queue an exchange for a connection."""

    def forgo(self, exchange: "NativeExchange") -> None:
        """A waiting exchange was abandoned."""

    def offer(self, connection: "Connection", opened_from_ns: int = 0) -> None:
        """Hand a connection to the next waiting exchange."""


class NativeExchange:
    """One request in flight."""

    __slots__ = ("_done", "_pool", "abandoned", "body", "connection", "first_byte_ns", "flags", "head", "sent_ns")
    milestones, failed_polls = NO_JOB, 0

    def __init__(self, pool: Pool, head: bytes, body: bytes | memoryview, done: Callable[[Answer], None]) -> None:
        self._pool, self.head, self.body, self._done = pool, head, body, done
        self.sent_ns = self.first_byte_ns = self.flags = 0
        self.connection: Connection | None = None
        self.abandoned = False

    def abandon(self) -> None:
        """Give up and close the connection."""
        self.abandoned = True
        if self.connection is None:
            self._pool.forgo(self)
        else:
            self.connection.exchange = None
            self.connection.abort()

    def finish(
        self, status: int, body: bytes | memoryview, headers: Mapping[str, str], head: bytes, done_ns: int
    ) -> None:
        """Deliver a whole answer."""
        stamps = (self.sent_ns, self.first_byte_ns, done_ns)
        self._done(Answer(*stamps, status, body, ErrorKind.NONE, "", self.flags, headers, head))

    def fail(self, kind: ErrorKind, detail: str, done_ns: int) -> None:
        """Deliver a failure."""
        self._done(Answer(self.sent_ns, self.first_byte_ns, done_ns, 0, b"", kind, detail, self.flags))

    def lost(self, kind: ErrorKind, detail: str, done_ns: int, *, just_closed: bool) -> None:
        """The connection ended without a whole answer: retry once if the server had just closed it, else fail."""
        self.connection = None
        if just_closed and not self.first_byte_ns and not self.flags & RETRIED:
            self.flags |= RETRIED
            self._pool.wait(self)
        else:
            self.fail(kind, detail, done_ns)


class Connection(asyncio.BufferedProtocol):
    """One connection: idle, or with one exchange on it."""

    def __init__(self, pool: Pool, reader: AnswerReader, through_loop: bool) -> None:
        self._pool, self._reader, self._through_loop = pool, reader, through_loop
        self.exchange: NativeExchange | None = None
        self._used = self._partial = False
        self._descriptor = -1
        self._error: OSError | None = None
        self._ended_ns = self._written_ns = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if not self._through_loop:
            self._descriptor = transport.get_extra_info("socket").fileno()

    def write(self, exchange: "NativeExchange", not_before_ns: int = 0) -> None:
        """Send a request; a write error is reported by `connection_lost`, later."""
        self.exchange, exchange.connection = exchange, self
        self._reader.begin()
        parts = (exchange.head, exchange.body)
        time_ns = now_ns()
        while time_ns < not_before_ns:
            time_ns = now_ns()
        exchange.sent_ns, self._written_ns = exchange.sent_ns or time_ns, time_ns
        if self._through_loop:
            self._transport.writelines(parts)
            return
        try:
            written = os.writev(self._descriptor, parts)
        except BlockingIOError:
            written = 0
        except OSError as error:
            self._error = error
            if error.errno not in PEER_CLOSED:  # else the end of the stream follows, after an early answer if any
                self._transport.abort()
            return
        if written < len(exchange.head) + len(exchange.body):
            self._write_rest(exchange, written)

    def _write_rest(self, exchange: "NativeExchange", written: int) -> None:
        self._partial = True
        rest = memoryview(exchange.head)[written:]
        if rest:
            self._transport.write(rest)
        self._transport.write(memoryview(exchange.body)[max(written - len(exchange.head), 0) :])

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._reader.buffer()

    def buffer_updated(self, nbytes: int) -> None:
        time_ns = now_ns()
        exchange, reader = self.exchange, self._reader
        if exchange is None:
            self.abort()  # unsolicited bytes, or an answer to an abandoned request
            return
        if not exchange.first_byte_ns:
            exchange.first_byte_ns = time_ns
        try:
            if reader.received(nbytes):
                self._answered(exchange, time_ns)
        except MalformedAnswerError as broken:
            self.exchange = None
            self.abort()
            exchange.fail(broken.kind, str(broken), time_ns)

    def _answered(self, exchange: "NativeExchange", time_ns: int) -> None:
        """Release the connection first, so that a request that waits for a permit can use it."""
        reader = self._reader
        status, body, headers, head = reader.status, reader.body, reader.headers, reader.head
        self.exchange, self._used = None, True
        if not reader.reusable or (self._partial and self._transport.get_write_buffer_size()):
            self.abort()
        else:
            self._pool.offer(self)
        exchange.finish(status, body, headers, head, time_ns)
        if isinstance(body, memoryview):
            self._pool.buffers.give(body)

    def eof_received(self) -> None:
        self._pool.idle.pop(self, None)
        self._ended_ns = now_ns()

    def connection_lost(self, exc: Exception | None) -> None:
        self._pool.idle.pop(self, None)
        exchange, self.exchange = self.exchange, None
        if exchange is None:
            return
        if isinstance(exc, OSError) and exc.errno in PEER_CLOSED and self._receive_rest(exchange):
            return
        time_ns, reader, error = self._ended_ns or now_ns(), self._reader, self._error or exc
        if (error is None or _is_refusal(reader.status, error)) and reader.ended():
            exchange.finish(reader.status, reader.body, reader.headers, reader.head, time_ns)
            return
        kind, detail = cut_kind(error, begun=bool(exchange.first_byte_ns), headed=reader.headed)
        just_closed = self._used and time_ns - self._written_ns <= JUST_CLOSED_NS
        exchange.lost(kind, detail, time_ns, just_closed=just_closed)

    def _receive_rest(self, exchange: "NativeExchange") -> bool:
        """Read what had arrived before a write failed; return whether that ended the exchange.

        A server may answer, and close, before it has read the whole request.
        """
        reader = self._reader
        while self._descriptor >= 0:
            try:
                count = os.readv(self._descriptor, [reader.buffer()])
                time_ns = now_ns()
                if not count:
                    return False
                exchange.first_byte_ns = exchange.first_byte_ns or time_ns
                if reader.received(count):
                    exchange.finish(reader.status, reader.body, reader.headers, reader.head, time_ns)
                    return True
            except OSError:
                return False
            except MalformedAnswerError as broken:
                exchange.fail(broken.kind, str(broken), time_ns)
                return True
        return False

    def abort(self) -> None:
        """Close at once, so that the server sees the end before any request that is sent next."""
        self._pool.idle.pop(self, None)
        if (
            self._descriptor >= 0 and not self._transport.is_closing()
        ):  # otherwise the descriptor number may be reused already
            raw, self._descriptor = socket.socket(fileno=self._descriptor), -1
            with suppress(OSError):
                raw.shutdown(socket.SHUT_RDWR)
            raw.detach()
        self._transport.abort()


def _is_refusal(status: int, error: Exception) -> bool:
    """Whether an error answer ended in a reset: the server closed with the rest of the request unread."""
    return status >= 400 and isinstance(error, OSError) and error.errno in PEER_CLOSED
