"""The engine: the queue, service times, faults and request log behind every dialect of the simulated server."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from aiohttp import web

from loadgen.simulator.engine import framing
from loadgen.simulator.engine.answer import Payload, Timings
from loadgen.simulator.engine.faults import Faults
from loadgen.simulator.engine.generation import Generation, RefusalError
from loadgen.simulator.engine.options import SimulatorOptions
from loadgen.simulator.engine.profile import Profile
from loadgen.simulator.engine.queue import ReplicaQueue, ServiceTimes
from loadgen.simulator.engine.request_log import LogEntry, RequestLog

Receive = Callable[[web.Request], Awaitable[Generation]]
_RETRY_AFTER_S: Final = "1"
_BUSY: Final = frozenset({429, 503})  # statuses that carry Retry-After (RFC 9110, 10.2.3)
Work = Callable[[LogEntry, web.Request], Awaitable[Payload | None]]


class Engine:
    """Queues generations in the order in which their requests were fully read; faults are injected before that.

    A generation keeps its replica for exactly its service time, even if its client disconnects.
    """

    def __init__(self, options: SimulatorOptions, profile: Profile) -> None:
        self.options = options
        self.profile = profile
        self.request_log = RequestLog()
        self.faults = Faults(options)
        self._queue = ReplicaQueue(options.replicas)
        self._service = ServiceTimes(options)
        self._admitted: list[LogEntry] = []  # of jobs that can be aborted

    async def handle(self, request: web.Request, work: Work) -> web.StreamResponse:
        """Log a request, let `work` produce its payload, and send it; None is a request that goes unanswered."""
        entry, payload = self.request_log.arrive(), None
        try:
            payload = await work(entry, request)
        except RefusalError as refused:
            payload = self.refusal(str(refused), refused.status)
        except (asyncio.CancelledError, ConnectionError):
            entry.status = 499
            raise
        except web.HTTPException as refused:  # the body is over the size limit
            entry.status = refused.status
            raise
        finally:  # before the answer is written, so that no client sees it before the counts are updated
            if payload is not None and not payload.in_progress:
                entry.mark_answered(payload.status)
            if payload is None or not payload.in_progress:
                self.request_log.leave()
        return web.Response() if payload is None else await self.send(request, entry, payload)

    async def send(self, request: web.Request, entry: LogEntry, payload: Payload) -> web.StreamResponse:
        """Send an answer with the timestamps of the log entry in its headers."""
        with_timestamps = replace(payload, headers={**payload.headers, **entry.headers()})
        return await framing.send(request, with_timestamps, self.options.framing)

    def refusal(self, message: str, status: int) -> Payload:
        """Return an error in the server's own format; a busy server says when to come again."""
        refused = self.profile.error(message, status)
        return replace(refused, headers={"Retry-After": _RETRY_AFTER_S}) if status in _BUSY else refused

    async def read(self, entry: LogEntry, request: web.Request, receive: Receive, route: str = "") -> Generation:
        """Parse a request and log its prompt and the size that the server makes of it; raises RefusalError."""
        asked = await receive(request)
        self.profile.check(route, asked.fields, self.options)
        generation = self.profile.made(asked)
        entry.prompt, entry.width, entry.height = generation.prompt, generation.width, generation.height
        entry.steps, entry.frames = generation.steps, generation.frames
        return generation

    def admit(self, entry: LogEntry, generation: Generation) -> None:
        """Queue a generation and set the start and finish times of its log entry."""
        service_ns = self._service.draw_ns(generation.units)
        entry.started_ns, entry.finished_ns = self._queue.admit(time.monotonic_ns(), service_ns)
        if self.profile.aborts:
            self._admitted.append(entry)

    def abort(self, entry: LogEntry) -> None:
        """Take a job out of the queue, so that those behind it run earlier."""
        now_ns = time.monotonic_ns()
        self._admitted = [each for each in self._admitted if each is not entry and each.finished_ns > now_ns]
        if entry.finished_ns > now_ns:
            self._queue.replan(now_ns, self._admitted)

    def occupancy(self) -> tuple[int, int]:
        """Return how many generations run now and how many wait."""
        return self._queue.occupancy(time.monotonic_ns())


def timings(entry: LogEntry, end_ns: int) -> Timings:
    """Return the timings of a generation whose answer was ready at `end_ns`."""
    queue_ns, service_ns = entry.started_ns - entry.received_ns, entry.finished_ns - entry.started_ns
    return Timings(queue_ns / 1e9, service_ns / 1e9, (end_ns - entry.received_ns) / 1e9)
