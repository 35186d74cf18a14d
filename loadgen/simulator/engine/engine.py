"""The engine: the queue, service times, faults and journal behind every dialect of the simulated server."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from aiohttp import web

from loadgen.simulator.engine import answer, framing
from loadgen.simulator.engine.answer import Payload, Served
from loadgen.simulator.engine.faults import Faults
from loadgen.simulator.engine.generation import Generation, RefusalError
from loadgen.simulator.engine.journal import RequestLog, Visit
from loadgen.simulator.engine.options import SimulatorOptions
from loadgen.simulator.engine.queue import ReplicaQueue, ServiceTimes

Receive = Callable[[web.Request], Awaitable[Generation]]
Work = Callable[[Visit, web.Request], Awaitable[Payload | None]]


class Engine:
    """Requests queue in the order in which they are complete; a fault strikes before that.

    A generation keeps its replica for exactly its service time, even where its client has gone.
    """

    def __init__(self, options: SimulatorOptions) -> None:
        self.options = options
        self.journal = RequestLog()
        self.faults = Faults(options)
        self._queue = ReplicaQueue(options.replicas)
        self._service = ServiceTimes(options)

    async def host(self, request: web.Request, work: Work) -> web.StreamResponse:
        """Count a request in, have `work` make its answer, count it out, answer it; None goes unanswered."""
        visit, payload = self.journal.arrive(), None
        try:
            payload = await work(visit, request)
        except RefusalError as refused:
            payload = answer.refusal(str(refused), refused.status)
        except (asyncio.CancelledError, ConnectionError):
            visit.status = 499
            raise
        except web.HTTPException as refused:  # a body beyond the limit
            visit.status = refused.status
            raise
        finally:  # the answer is written after this, so no client can be ahead of the count
            if payload is not None and not payload.stays:
                visit.reply(payload.status)
            if payload is None or not payload.stays:
                self.journal.leave()
        return web.Response() if payload is None else await self.send(request, visit, payload)

    async def send(self, request: web.Request, visit: Visit, payload: Payload) -> web.StreamResponse:
        """Answer, with the stamps of the visit in the headers."""
        stamped = replace(payload, headers={**payload.headers, **visit.stamps()})
        return await framing.send(request, stamped, self.options.framing)

    async def read(self, visit: Visit, request: web.Request, receive: Receive) -> Generation:
        """Read a request and note in the journal what it asks for; raises RefusalError."""
        asked = await receive(request)
        visit.prompt, visit.width, visit.height = asked.prompt, asked.width, asked.height
        visit.steps, visit.frames = asked.steps, asked.frames
        return asked

    def admit(self, visit: Visit, asked: Generation) -> None:
        """Queue a generation; from now on its visit says when it starts and when it is finished."""
        service_ns = self._service.draw_ns(asked.units)
        visit.started_ns, visit.finished_ns = self._queue.admit(time.monotonic_ns(), service_ns)

    def occupancy(self) -> tuple[int, int]:
        """Return how many generations run now and how many wait."""
        return self._queue.occupancy(time.monotonic_ns())


def served(visit: Visit, end_ns: int) -> Served:
    """Return the times of a generation whose answer was ready at `end_ns`."""
    queue_ns, service_ns = visit.started_ns - visit.received_ns, visit.finished_ns - visit.started_ns
    return Served(queue_ns / 1e9, service_ns / 1e9, (end_ns - visit.received_ns) / 1e9)
