"""The simulated server itself: routes, stamps, and a life of its own in a process."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from typing import Final

import orjson
import uvloop
from aiohttp import web

from loadgen.errors import UsageError
from loadgen.simulator import answer
from loadgen.simulator.chat import BadRequestError, Generation, parse
from loadgen.simulator.faults import Fault, Faults, reset
from loadgen.simulator.journal import Journal, Visit
from loadgen.simulator.options import SimulatorOptions
from loadgen.simulator.queue import ReplicaQueue, ServiceTimes

_MAX_BODY: Final = 256 << 20  # bytes
_KEEPALIVE_S: Final = 3600.0  # longer than any pause of a load: an idle connection is not ours to close
_BACKLOG: Final = 4096


class Simulator:
    """The routes. Requests queue in the order in which they are complete; a fault strikes before that.

    A generation keeps its replica for exactly its service time, even where its client has gone. Every chat answer tells
    its CLOCK_MONOTONIC stamps in the headers X-Sim-Received-Ns, X-Sim-Started-Ns (a 200 only) and X-Sim-Replied-Ns.
    """

    def __init__(self, options: SimulatorOptions) -> None:
        self._options = options
        self._queue = ReplicaQueue(options.replicas)
        self._service = ServiceTimes(options)
        self._faults = Faults(options)
        self._journal = Journal()

    def app(self) -> web.Application:
        """Return the application with its routes."""
        app = web.Application(client_max_size=_MAX_BODY)
        app.router.add_get("/health", self._health)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/sim/log", self._log)
        app.router.add_get("/sim/stats", self._stats)
        return app

    async def _health(self, _: web.Request) -> web.Response:
        return _json(b"{}")

    async def _models(self, _: web.Request) -> web.Response:
        model = {"id": self._options.model, "object": "model", "created": 0, "owned_by": "diffusion-loadgen"}
        return _json(orjson.dumps({"object": "list", "data": [model]}))

    async def _log(self, _: web.Request) -> web.Response:
        return _json(orjson.dumps(list(self._journal.visits)))

    async def _stats(self, _: web.Request) -> web.Response:
        return _json(orjson.dumps(self._journal.stats()))

    async def _chat(self, request: web.Request) -> web.Response:
        visit = self._journal.arrive()
        try:
            return await self._visit(visit, request)
        except BadRequestError as refused:
            return _reply(visit, 400, answer.refusal(str(refused), "invalid_request_error", 400))
        except (asyncio.CancelledError, ConnectionError):
            visit.status = 499
            raise
        except web.HTTPException as refused:  # a body beyond the limit
            visit.status = refused.status
            raise
        finally:
            self._journal.leave()  # the answer is written after this, so no client can be ahead of the count

    async def _visit(self, visit: Visit, request: web.Request) -> web.Response:
        asked = parse(await request.read())
        visit.prompt, visit.width, visit.height = asked.prompt, asked.width, asked.height
        visit.steps, visit.frames = asked.steps, asked.frames
        match self._faults.draw():
            case Fault.FAIL:
                return _reply(visit, 500, answer.refusal("injected by --fail-rate", "internal_error", 500))
            case Fault.STALL:
                await asyncio.Event().wait()  # until the client goes away, which cancels this
            case Fault.RESET:
                reset(request)
                return web.Response()  # goes nowhere
        return await self._generate(visit, asked)

    async def _generate(self, visit: Visit, asked: Generation) -> web.Response:
        service_ns = self._service.draw_ns(asked.units)
        visit.started_ns, finish_ns = self._queue.admit(time.monotonic_ns(), service_ns)
        urls = answer.media_urls(asked, self._options.media_bytes, self._options.media)
        await _sleep_until(finish_ns)
        visit.replied_ns = time.monotonic_ns()
        queue_s = (visit.started_ns - visit.received_ns) / 1e9
        total_s = (visit.replied_ns - visit.received_ns) / 1e9
        body = answer.completion(asked, urls, self._options.model, queue_s, service_ns / 1e9, total_s)
        return _reply(visit, 200, body)


async def _sleep_until(instant_ns: int) -> None:
    """Return at `instant_ns` or later, never before; a timer of the event loop may fire early."""
    while (left_ns := instant_ns - time.monotonic_ns()) > 0:
        await asyncio.sleep(left_ns / 1e9)


def _reply(visit: Visit, status: int, body: bytes) -> web.Response:
    visit.status = status
    visit.replied_ns = visit.replied_ns or time.monotonic_ns()
    stamps = {"Received": visit.received_ns, "Started": visit.started_ns, "Replied": visit.replied_ns}
    return _json(body, status, {f"X-Sim-{name}-Ns": str(stamp) for name, stamp in stamps.items() if stamp})


def _json(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)


async def start(options: SimulatorOptions) -> tuple[web.AppRunner, int]:
    """Start a server in the running loop and return it with its port; `await runner.cleanup()` ends it.

    Raises UsageError where the address cannot be listened on.
    """
    runner = web.AppRunner(
        Simulator(options).app(),
        access_log=None,
        handler_cancellation=True,
        keepalive_timeout=_KEEPALIVE_S,
        shutdown_timeout=0.1,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, options.host, options.port, backlog=_BACKLOG).start()
    except OSError as fault:
        await runner.cleanup()
        place = f"--host {options.host} --port {options.port}"
        raise UsageError(f"{place}: cannot listen there ({fault.strerror}); --port 0 takes a free port") from fault
    return runner, runner.addresses[0][1]


def serve(options: SimulatorOptions, on_ready: Callable[[int], None], until_eof_fd: int | None = None) -> None:
    """Serve until SIGINT or SIGTERM, or until `until_eof_fd`, a pipe whose far end the parent holds, reads EOF.

    `on_ready` is called with the port once connections are accepted. Raises UsageError as `start` does.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(_serve(options, on_ready, until_eof_fd))


async def _serve(options: SimulatorOptions, on_ready: Callable[[int], None], until_eof_fd: int | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signal_number, stop.set)
    if until_eof_fd is not None:
        loop.add_reader(until_eof_fd, _stop_at_eof, until_eof_fd, stop)
    runner, port = await start(options)
    try:
        on_ready(port)
        await stop.wait()
    finally:
        await runner.cleanup()


def _stop_at_eof(fd: int, stop: asyncio.Event) -> None:
    if not os.read(fd, 4096):
        asyncio.get_running_loop().remove_reader(fd)
        stop.set()
