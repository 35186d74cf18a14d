"""The native transport: uvloop and llhttp, no task per request, timestamps next to the system calls.

A request is written by one `writev` right after its timestamp; only what the socket does not accept goes through the
event loop. Connections are kept in a stack, the one used last on top, and opened on demand where none is idle.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from collector.records.record import RETRIED
from loadgen.bodies.request import Request
from loadgen.clock import now_ns
from loadgen.server.target import Target
from loadgen.server.tls import tls_context
from loadgen.transport.answer_reader import SCRATCH, AnswerReader
from loadgen.transport.buffer_pool import BufferPool
from loadgen.transport.connection import Connection, NativeExchange
from loadgen.transport.error_kinds import connect_kind
from loadgen.transport.interface import Answer
from loadgen.transport.request_head import RequestHeads

_OPEN_AT_ONCE: Final = 32  # a listen backlog holds 100 or more
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
        self._heads = RequestHeads(target)
        self._tls = tls_context(target)
        self._scratch, self.buffers = memoryview(bytearray(SCRATCH)), BufferPool()
        self._opening: dict[asyncio.Task[None], int] = {}  # start of connecting (ns), oldest first
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
                break  # the server accepts no more; requests will report the error
        return len(self.idle)

    def send(self, request: Request, done: Callable[[Answer], None], not_before_ns: int = 0) -> "NativeExchange":
        """Write the request on an idle connection at once, or on the next one available."""
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
        exchange.sent_ns = exchange.sent_ns or now_ns()  # a retry keeps the first time
        self._waiting.append(exchange)
        self._open_more(exchange.sent_ns)

    def forgo(self, exchange: NativeExchange) -> None:
        """A waiting exchange was abandoned: cancel connects that nobody waits for, and those pending for as long."""
        while self._waiting and self._waiting[0].abandoned:
            self._waiting.popleft()
        spare = len(self._opening) - len(self._waiting)
        for position, (task, since_ns) in enumerate(list(self._opening.items())):
            if position < spare or since_ns <= exchange.sent_ns:
                task.cancel()
                del self._opening[task]

    def offer(self, connection: Connection, opened_from_ns: int = 0) -> None:
        """Hand a connection to the next waiting exchange. Connecting, from `opened_from_ns`, counts as service time."""
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

    def _open_more(self, since_ns: int) -> None:
        if len(self._opening) < min(_OPEN_AT_ONCE, len(self._waiting)):
            task = self._loop.create_task(self._open_one())
            self._opening[task] = since_ns
            task.add_done_callback(self._opened)

    def _opened(self, task: "asyncio.Task[None]") -> None:
        self._opening.pop(task, None)
        self._open_more(now_ns())

    async def _open_one(self) -> None:
        from_ns = now_ns()
        try:
            self.offer(await self._connect(), from_ns)
        except (OSError, ValueError) as error:
            if (exchange := self._next_waiting()) is not None:
                exchange.fail(
                    connect_kind(error, tls=self._tls is not None), f"{type(error).__name__}: {error}", now_ns()
                )

    async def _connect(self) -> Connection:
        target, name = self._target, self._target.host if self._tls else None
        if target.unix_socket:
            _, connection = await self._loop.create_unix_connection(
                self._make_connection, target.unix_socket, ssl=self._tls, server_hostname=name
            )
            return connection
        _, connection = await self._loop.create_connection(
            self._make_connection, target.address, target.port, ssl=self._tls, server_hostname=name
        )
        return connection

    def _make_connection(self) -> Connection:
        target = self._target
        reader = AnswerReader(self._scratch, self.buffers, target.max_body_bytes, target.answer_headers)
        return Connection(self, reader, through_loop=self._tls is not None)

    async def close(self) -> None:
        """Close the idle connections; those in use were closed by `abandon`."""
        for task in self._opening:
            task.cancel()
        for connection in list(self.idle):
            connection.abort()
