"""The routes of the simulated server: a table of the dialects that answer at once, video jobs, its own figures."""

import asyncio
import time
from collections.abc import Callable
from typing import Final, NamedTuple

import orjson
from aiohttp import web

from loadgen.simulator import metrics
from loadgen.simulator.dialects import chat, images, videos
from loadgen.simulator.dialects.jobs import Jobs
from loadgen.simulator.engine import answer
from loadgen.simulator.engine.answer import Finish, Payload
from loadgen.simulator.engine.engine import Engine, Receive, served
from loadgen.simulator.engine.faults import Fault, spoil
from loadgen.simulator.engine.generation import Generation, RefusalError
from loadgen.simulator.engine.journal import Visit
from loadgen.simulator.engine.options import SimulatorOptions

_MAX_BODY: Final = 256 << 20  # bytes


class Dialect(NamedTuple):
    """One way to ask: its path, how a request is read, how the answer is prepared."""

    path: str
    receive: Receive
    prepare: Callable[[Generation, SimulatorOptions], Finish]


DIALECTS: Final = (
    Dialect(chat.path, chat.receive, answer.completion),
    Dialect(images.generations, images.receive, answer.images),
    Dialect(images.edits, images.receive_edit, answer.images),
    Dialect(videos.sync, videos.receive, answer.bare_video),
)


class Simulator:
    """Every answer to a generation tells its CLOCK_MONOTONIC stamps in headers X-Sim-...-Ns (Visit.stamps)."""

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
            self._add(app.router, dialect)
        Jobs(self._engine).add_routes(app.router)
        return app

    def _add(self, router: web.UrlDispatcher, dialect: Dialect) -> None:
        async def work(visit: Visit, request: web.Request) -> Payload | None:
            return await self._answer(dialect, visit, request)

        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._engine.host(request, work)

        router.add_post(dialect.path, handle)

    async def _health(self, _: web.Request) -> web.Response:
        return _json(b"{}")

    async def _models(self, _: web.Request) -> web.Response:
        model = {"id": self._options.model, "object": "model", "created": 0, "owned_by": "diffusion-loadgen"}
        return _json(orjson.dumps({"object": "list", "data": [model]}))

    async def _metrics(self, _: web.Request) -> web.Response:
        text = metrics.page(self._options, self._engine.occupancy(), self._engine.journal.stats()["requests"])
        return web.Response(body=text.encode(), headers={"Content-Type": metrics.TEXT})

    async def _log(self, _: web.Request) -> web.Response:
        return _json(orjson.dumps(list(self._engine.journal.visits)))

    async def _stats(self, _: web.Request) -> web.Response:
        return _json(orjson.dumps(self._engine.journal.stats()))

    async def _faults(self, _: web.Request) -> web.Response:
        return _json(orjson.dumps(self._engine.faults.drawn))

    async def _answer(self, dialect: Dialect, visit: Visit, request: web.Request) -> Payload | None:
        asked = await self._engine.read(visit, request, dialect.receive)
        match self._engine.faults.draw():
            case int(status):
                raise RefusalError("injected by --http-errors", status)
            case Fault.FAIL:
                raise RefusalError("injected by --fail-rate", 500)
            case Fault.STALL:
                await asyncio.Event().wait()  # until the client goes away, which cancels this
            case Fault.RESET | Fault.CUT | Fault.GARBAGE as fault:
                spoil(request, fault)
                return None
        return await self._generate(dialect, visit, asked)

    async def _generate(self, dialect: Dialect, visit: Visit, asked: Generation) -> Payload:
        self._engine.admit(visit, asked)
        finish = dialect.prepare(asked, self._options)
        await _sleep_until(visit.finished_ns)
        visit.replied_ns = time.monotonic_ns()
        return finish(served(visit, visit.replied_ns))


async def _sleep_until(instant_ns: int) -> None:
    """Return at `instant_ns` or later, never before; a timer of the event loop may fire early."""
    while (left_ns := instant_ns - time.monotonic_ns()) > 0:
        await asyncio.sleep(left_ns / 1e9)


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")
