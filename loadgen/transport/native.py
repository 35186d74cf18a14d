"""The native transport: uvloop and llhttp, no task a request, stamps at the system calls.

A request is written by one `writev` right after its stamp; only what the socket does not take goes through the
event loop. Connections are kept in a stack, the one used last on top, and opened on demand where none is idle.
"""

import asyncio
import errno
import os
import socket
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, cast

from collector.record import RETRIED, ErrorKind
from loadgen.clock import now_ns
from loadgen.requests.request import Request
from loadgen.target import Target
from loadgen.transport.head import Heads
from loadgen.transport.reader import SCRATCH, AnswerReader, BrokenAnswerError
from loadgen.transport.rooms import Rooms
from loadgen.transport.seam import JUST_CLOSED_NS, NO_JOB, OWN_FAULTS, Answer
from loadgen.transport.tls import tls_context

_OPEN_AT_ONCE: Final = 32  # a listen queue holds 100 or more
_OPENING_S: Final = 10.0


class NativeTransport:
    """Connections to one server.

    Where none is idle a request waits for the first one that is freed or opened. Few are opened at the same time:
    that costs more than a request does, and a burst after a stall would otherwise open hundreds and be later still.
    """

    name = "native"

    def __init__(self, target: Target) -> None:
        self._target = target
        self._loop = asyncio.get_running_loop()
        self._heads = Heads(target)
        self._tls = tls_context(target)
        self._scratch, self.rooms = memoryview(bytearray(SCRATCH)), Rooms()
        self._opening: set[asyncio.Task[None]] = set()
        self._waiting: deque[NativeExchange] = deque()
        self.idle: dict[Connection, None] = {}  # in order of use

    async def open(self, connections: int) -> int:
        """Open connections ahead of time, a few at once; return how many there are now."""
        for first in range(len(self.idle), connections, _OPEN_AT_ONCE):
            group = range(min(_OPEN_AT_ONCE, connections - first))
            opening = (asyncio.wait_for(self._connect(), _OPENING_S) for _ in group)
            found = await asyncio.gather(*opening, return_exceptions=True)
            self.idle.update((each, None) for each in found if isinstance(each, Connection))
            if len(self.idle) < first + len(group):
                break  # the server takes no more; requests will find out for themselves
        return len(self.idle)

    def send(self, request: Request, done: Callable[[Answer], None], not_before_ns: int = 0) -> "NativeExchange":
        """Write the request on an idle connection at once, or on the next one that there is."""
        exchange = NativeExchange(self, self._heads.of(request), request.body, done)
        if self.idle:
            connection, _ = self.idle.popitem()
            connection.write(exchange, not_before_ns)
        else:
            while now_ns() < not_before_ns:
                pass
            self.wait(exchange)
        return exchange

    def wait(self, exchange: "NativeExchange") -> None:
        """Queue an exchange for a connection."""
        exchange.sent_ns = exchange.sent_ns or now_ns()  # of a retry, the first try's
        self._waiting.append(exchange)
        self._open_more()

    def offer(self, connection: "Connection", opened_from_ns: int = 0) -> None:
        """Give a connection to whoever waits. The time that it took to open, from `opened_from_ns`, is service."""
        exchange = self._next_waiting()
        if exchange is None:
            self.idle[connection] = None
            return
        if not exchange.flags & RETRIED:
            exchange.sent_ns = max(exchange.sent_ns, opened_from_ns) if opened_from_ns else 0
        connection.write(exchange)

    def _next_waiting(self) -> "NativeExchange | None":
        while self._waiting:
            exchange = self._waiting.popleft()
            if not exchange.abandoned:
                return exchange
        return None

    def _open_more(self) -> None:
        if len(self._opening) < min(_OPEN_AT_ONCE, len(self._waiting)):
            task = self._loop.create_task(self._open_one())
            self._opening.add(task)
            task.add_done_callback(self._opened)

    def _opened(self, task: "asyncio.Task[None]") -> None:
        self._opening.discard(task)
        self._open_more()

    async def _open_one(self) -> None:
        from_ns = now_ns()
        try:
            self.offer(await self._connect(), from_ns)
        except (OSError, ValueError) as error:
            if (exchange := self._next_waiting()) is not None:
                exchange.fail(_connect_kind(error), f"{type(error).__name__}: {error}", now_ns())

    async def _connect(self) -> "Connection":
        target = self._target
        _, connection = await self._loop.create_connection(
            self._make_connection,
            target.address,
            target.port,
            ssl=self._tls,
            server_hostname=target.host if self._tls else None,
        )
        return connection

    def _make_connection(self) -> "Connection":
        target = self._target
        reader = AnswerReader(self._scratch, self.rooms, target.max_body_bytes, target.answer_headers)
        return Connection(self, reader, through_loop=self._tls is not None)

    async def close(self) -> None:
        """Close what is idle; whatever is in flight has been abandoned by now."""
        for task in self._opening:
            task.cancel()
        for connection in list(self.idle):
            connection.abort()


class NativeExchange:
    """One request on its way."""

    __slots__ = ("_done", "_transport", "abandoned", "body", "connection", "first_byte_ns", "flags", "head", "sent_ns")
    milestones = NO_JOB

    def __init__(
        self, transport: NativeTransport, head: bytes, body: bytes | memoryview, done: Callable[[Answer], None]
    ) -> None:
        self._transport, self.head, self.body, self._done = transport, head, body, done
        self.sent_ns = self.first_byte_ns = self.flags = 0
        self.connection: Connection | None = None
        self.abandoned = False

    def abandon(self) -> None:
        """Give up, and the connection with it."""
        self.abandoned = True
        if self.connection is not None:
            self.connection.exchange = None
            self.connection.abort()

    def finish(self, status: int, body: bytes | memoryview, headers: Mapping[str, str], done_ns: int) -> None:
        """Hand over a whole answer."""
        stamps = (self.sent_ns, self.first_byte_ns, done_ns)
        self._done(Answer(*stamps, status, body, ErrorKind.NONE, "", self.flags, headers))

    def fail(self, kind: ErrorKind, detail: str, done_ns: int) -> None:
        """Hand over a failure."""
        self._done(Answer(self.sent_ns, self.first_byte_ns, done_ns, 0, b"", kind, detail, self.flags))

    def lost(self, kind: ErrorKind, detail: str, done_ns: int, *, just_closed: bool) -> None:
        """The connection ended without a whole answer: once more on a new one if the server just closed it."""
        self.connection = None
        if just_closed and not self.first_byte_ns and not self.flags & RETRIED:
            self.flags |= RETRIED
            self._transport.wait(self)
        else:
            self.fail(kind, detail, done_ns)


class Connection(asyncio.BufferedProtocol):
    """One connection: idle, or with one exchange on it."""

    def __init__(self, transport: NativeTransport, reader: AnswerReader, through_loop: bool) -> None:
        self._pool, self._reader, self._through_loop = transport, reader, through_loop
        self.exchange: NativeExchange | None = None
        self._used = self._partial = False
        self._descriptor = -1
        self._error: OSError | None = None
        self._ended_ns = self._written_ns = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if not self._through_loop:
            self._descriptor = transport.get_extra_info("socket").fileno()

    def write(self, exchange: NativeExchange, not_before_ns: int = 0) -> None:
        """Send a request; a failure to do so comes back as a lost connection, later."""
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
            self._transport.abort()
            return
        if written < len(exchange.head) + len(exchange.body):
            self._write_rest(exchange, written)

    def _write_rest(self, exchange: NativeExchange, written: int) -> None:
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
            self.abort()  # nobody asked: rubbish, or an answer to what was given up
            return
        if not exchange.first_byte_ns:
            exchange.first_byte_ns = time_ns
        try:
            if reader.landed(nbytes):
                self._answered(exchange, time_ns)
        except BrokenAnswerError as broken:
            self.exchange = None
            self.abort()
            exchange.fail(broken.kind, str(broken), time_ns)

    def _answered(self, exchange: NativeExchange, time_ns: int) -> None:
        """Free the connection first, so that whoever waits for a permit finds it."""
        reader = self._reader
        status, body, headers = reader.status, reader.body, reader.headers
        self.exchange, self._used = None, True
        if not reader.reusable or (self._partial and self._transport.get_write_buffer_size()):
            self.abort()
        else:
            self._pool.offer(self)
        exchange.finish(status, body, headers, time_ns)
        if isinstance(body, memoryview):
            self._pool.rooms.give(body)

    def eof_received(self) -> None:
        self._ended_ns = now_ns()

    def connection_lost(self, exc: Exception | None) -> None:
        time_ns = self._ended_ns or now_ns()
        self._pool.idle.pop(self, None)
        exchange, self.exchange = self.exchange, None
        if exchange is None:
            return
        if exc is None and self._error is None and self._reader.ended():
            exchange.finish(self._reader.status, self._reader.body, self._reader.headers, time_ns)
            return
        error = self._error or exc
        reset = isinstance(error, OSError) and error.errno in (errno.ECONNRESET, errno.EPIPE)
        kind = ErrorKind.RESET if reset else ErrorKind.DISCONNECTED
        detail = f"{error}" if error else "the server closed the connection before the answer was whole"
        just_closed = self._used and time_ns - self._written_ns <= JUST_CLOSED_NS
        exchange.lost(kind, detail, time_ns, just_closed=just_closed)

    def abort(self) -> None:
        """Close at once and be used no more: the server hears of it before anything that is sent next."""
        self._pool.idle.pop(self, None)
        if self._descriptor >= 0 and not self._transport.is_closing():  # or the number may be another's by now
            raw, self._descriptor = socket.socket(fileno=self._descriptor), -1
            with suppress(OSError):
                raw.shutdown(socket.SHUT_RDWR)
            raw.detach()
        self._transport.abort()


def _connect_kind(error: Exception) -> ErrorKind:
    if isinstance(error, OSError) and error.errno in OWN_FAULTS:
        return OWN_FAULTS[error.errno]
    if isinstance(error, ssl.SSLError | ssl.CertificateError | ValueError):
        return ErrorKind.TLS
    return ErrorKind.CONNECT
