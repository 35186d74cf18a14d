"""The HTTP routes of the simulated server: synchronous dialects, video jobs, health, metrics and the request log."""

import asyncio
import time
from collections.abc import Callable
from typing import Final, NamedTuple

import orjson
from aiohttp import web

from loadgen.simulator import metrics
from loadgen.simulator.dialects import chat, dynamo, images, videos
from loadgen.simulator.dialects.jobs import Handler, Jobs
from loadgen.simulator.dialects.lightx2v import Tasks
from loadgen.simulator.engine import answer
from loadgen.simulator.engine.answer import Payload, PayloadBuilder
from loadgen.simulator.engine.engine import Engine, Receive, timings
from loadgen.simulator.engine.faults import Fault, inject
from loadgen.simulator.engine.generation import Generation, RefusalError
from loadgen.simulator.engine.options import SimulatorOptions
from loadgen.simulator.engine.request_log import LogEntry

_MAX_BODY: Final = 256 << 20  # bytes


class Dialect(NamedTuple):
    """One synchronous API: its path, the parser of its requests, and the builder of its answers."""

    path: str
    receive: Receive
    prepare: Callable[[Generation, SimulatorOptions], PayloadBuilder]


DIALECTS: Final = (
    Dialect(chat.path, chat.receive, answer.completion),
    Dialect(images.generations, images.receive, answer.images),
    Dialect(images.edits, images.receive_edit, answer.images),
    Dialect(videos.sync, videos.receive, answer.bare_video),
)
DYNAMO: Final = Dialect(dynamo.path, dynamo.receive, dynamo.prepare)  # JSON at the path of the jobs, which take forms


class Simulator:
    """The application; answers carry CLOCK_MONOTONIC times in headers X-Sim-...-Ns (see `LogEntry.headers`)."""

    def __init__(self, options: SimulatorOptions) -> None:
        self._options = options
        self._engine = Engine(options)

    def app(self) -> web.Application:
        """Return the application with its routes."""
        app = web.Application(client_max_size=_MAX_BODY)
        app.router.add_get("/health", self._health)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/sim/log", self._log)
        app.router.add_get("/sim/stats", self._stats)
        app.router.add_get("/sim/faults", self._faults)
        for dialect in DIALECTS:
            app.router.add_post(dialect.path, self._handler(dialect))
        Jobs(self._engine, self._handler(DYNAMO)).add_routes(app.router)
        Tasks(self._engine).add_routes(app.router)
        return app

    def _handler(self, dialect: Dialect) -> Handler:
        async def work(entry: LogEntry, request: web.Request) -> Payload | None:
            return await self._answer(dialect, entry, request)

        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._engine.handle(request, work)

        return handle

    async def _health(self, _: web.Request) -> web.Response:
        return _json(b"{}")

    async def _models(self, _: web.Request) -> web.Response:
        model = {"id": self._options.model, "object": "model", "created": 0, "owned_by": "diffusion-loadgen"}
        return _json(orjson.dumps({"object": "list", "data": [model]}))

    async def _metrics(self, _: web.Request) -> web.Response:
        text = metrics.page(self._options, self._engine.occupancy(), self._engine.request_log.stats()["requests"])
        return web.Response(body=text.encode(), headers={"Content-Type": metrics.TEXT})

    async def _log(self, _: web.Request) -> web.Response:
        return _json(orjson.dumps(list(self._engine.request_log.entries)))

    async def _stats(self, _: web.Request) -> web.Response:
        return _json(orjson.dumps(self._engine.request_log.stats()))

    async def _faults(self, _: web.Request) -> web.Response:
        return _json(orjson.dumps(self._engine.faults.drawn))

    async def _answer(self, dialect: Dialect, entry: LogEntry, request: web.Request) -> Payload | None:
        generation = await self._engine.read(entry, request, dialect.receive)
        match self._engine.faults.draw():
            case int(status):
                raise RefusalError("injected by --http-errors", status)
            case Fault.FAIL if dialect is DYNAMO:
                return dynamo.failure(self._options)
            case Fault.FAIL:
                raise RefusalError("injected by --fail-rate", 500)
            case Fault.STALL:
                await asyncio.Event().wait()  # until the client disconnects, which cancels this
            case Fault.RESET | Fault.CUT | Fault.GARBAGE as fault:
                inject(request, fault)
                return None
        return await self._generate(dialect, entry, generation)

    async def _generate(self, dialect: Dialect, entry: LogEntry, generation: Generation) -> Payload:
        self._engine.admit(entry, generation)
        build = dialect.prepare(generation, self._options)
        await _sleep_until(entry.finished_ns)
        entry.replied_ns = time.monotonic_ns()
        return build(timings(entry, entry.replied_ns))


async def _sleep_until(instant_ns: int) -> None:
    """Return at `instant_ns` or later, never before; a timer of the event loop may fire early."""
    while (remaining_ns := instant_ns - time.monotonic_ns()) > 0:
        await asyncio.sleep(remaining_ns / 1e9)


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")
