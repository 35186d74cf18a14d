"""Starts the simulated server, serves until it is told to stop, and shuts it down."""

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Final

import uvloop
from aiohttp import web

from loadgen.errors import UsageError
from loadgen.simulator.engine.options import SimulatorOptions
from loadgen.simulator.routes import Simulator
from loadgen.simulator.tls import server_context

_KEEPALIVE_S: Final = 3600.0  # longer than any pause in a load, so that the server never closes an idle connection
_BACKLOG: Final = 4096


async def start(options: SimulatorOptions) -> tuple[web.AppRunner, int]:
    """Start a server in the running event loop; return its runner, whose `cleanup()` stops it, and its port.

    Raises UsageError if it cannot listen on the address, or cannot load or make the certificate.
    """
    tls = server_context(options)
    runner = web.AppRunner(
        Simulator(options).app(),
        access_log=None,
        handler_cancellation=True,
        keepalive_timeout=_KEEPALIVE_S,
        shutdown_timeout=0.1,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, options.host, options.port, backlog=_BACKLOG, ssl_context=tls).start()
    except OSError as fault:
        await runner.cleanup()
        place = f"--host {options.host} --port {options.port}"
        raise UsageError(
            f"{place}: cannot listen ({fault.strerror}); choose another port, or --port 0 for a free one"
        ) from fault
    return runner, runner.addresses[0][1]


def serve(options: SimulatorOptions, on_ready: Callable[[int], None], until_eof_fd: int | None = None) -> None:
    """Serve until SIGINT or SIGTERM, or until end of file on `until_eof_fd`, a pipe from the parent process.

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
