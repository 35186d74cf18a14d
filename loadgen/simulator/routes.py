"""The HTTP routes of the simulated server: the dialects of its profile, metrics and the request log."""

from importlib import import_module
from typing import Final

import orjson
from aiohttp import web

from loadgen.errors import UsageError
from loadgen.simulator import metrics
from loadgen.simulator.dialects.models import list_paths, unknown_paths
from loadgen.simulator.engine.engine import Engine
from loadgen.simulator.engine.options import SimulatorOptions
from loadgen.simulator.servers import PROFILES

_MAX_BODY: Final = 256 << 20  # bytes


class Simulator:
    """The application; answers carry CLOCK_MONOTONIC times in headers X-Sim-...-Ns (see `LogEntry.headers`)."""

    def __init__(self, options: SimulatorOptions) -> None:
        self._profile = PROFILES[options.server]
        self._options = self._profile.served(options)
        self._engine = Engine(self._options, self._profile)

    def app(self) -> web.Application:
        """Return the application with its routes; raises UsageError for a dialect that is not installed."""
        middlewares = [unknown_paths] if self._profile.lists_paths else []
        app = web.Application(client_max_size=_MAX_BODY, middlewares=middlewares)
        for name in self._profile.dialects:
            _add_dialect(name, app.router, self._engine)
        if self._profile.lists_paths:
            list_paths(app.router)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/sim/log", self._log)
        app.router.add_get("/sim/stats", self._stats)
        app.router.add_get("/sim/faults", self._faults)
        return app

    async def _metrics(self, _: web.Request) -> web.Response:
        text = metrics.page(self._options, self._engine.occupancy(), self._engine.request_log.stats()["requests"])
        return web.Response(body=text.encode(), headers={"Content-Type": metrics.TEXT})

    async def _log(self, _: web.Request) -> web.Response:
        return _json(orjson.dumps(list(self._engine.request_log.entries)))

    async def _stats(self, _: web.Request) -> web.Response:
        return _json(orjson.dumps(self._engine.request_log.stats()))

    async def _faults(self, _: web.Request) -> web.Response:
        return _json(orjson.dumps(self._engine.faults.drawn))


def _add_dialect(name: str, router: web.UrlDispatcher, engine: Engine) -> None:
    """Add the routes of `simulator/dialects/NAME.py`."""
    try:
        dialect = import_module(f"loadgen.simulator.dialects.{name}")
    except ModuleNotFoundError:
        raise UsageError(f"--server {engine.profile.name}: this version has no dialect {name}") from None
    dialect.add_routes(router, engine, engine.profile)


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")
