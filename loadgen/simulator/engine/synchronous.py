"""Requests that are answered once their generation is done: read, admit, wait, answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from loadgen.simulator.engine.answer import Payload, PayloadBuilder
from loadgen.simulator.engine.engine import Engine, Receive, timings
from loadgen.simulator.engine.faults import Fault, inject
from loadgen.simulator.engine.generation import Generation, RefusalError
from loadgen.simulator.engine.options import SimulatorOptions
from loadgen.simulator.engine.request_log import LogEntry

Prepare = Callable[[Generation, SimulatorOptions], PayloadBuilder]


def synchronous(
    engine: Engine,
    route: str,
    receive: Receive,
    prepare: Prepare,
    failed: Callable[[SimulatorOptions], Payload] | None = None,
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return the handler of a route: `receive` parses its requests, `prepare` returns the builder of its answers.

    `route` is the name under which the profile may refuse it; media are encoded before the service time starts.
    `failed` is the answer to a generation that fails, without it a refusal with status 500.
    """

    async def work(entry: LogEntry, request: web.Request) -> Payload | None:
        generation = await engine.read(entry, request, receive, route)
        fault = engine.faults.draw(generation.prompt)
        if fault in (Fault.RESET, Fault.CUT, Fault.GARBAGE):
            inject(request, fault)
            return None
        if isinstance(fault, int):
            raise RefusalError("injected by --http-errors", fault)
        if fault is Fault.FAIL and failed:
            return failed(engine.options)
        if fault is Fault.FAIL:
            raise RefusalError("injected by --fail-rate", 500)
        if fault is Fault.STALL:
            await asyncio.Event().wait()  # until the client disconnects, which cancels this
        return await _generate(engine, entry, generation, prepare)

    async def handle(request: web.Request) -> web.StreamResponse:
        return await engine.handle(request, work)

    return handle


async def _generate(engine: Engine, entry: LogEntry, generation: Generation, prepare: Prepare) -> Payload:
    engine.admit(entry, generation)
    build = prepare(generation, engine.options)
    await _finish(entry)
    entry.replied_ns = time.monotonic_ns()
    return build(timings(entry, entry.replied_ns))


async def _finish(entry: LogEntry) -> None:
    """Return when the generation is finished or later, never before; a timer of the event loop may fire early."""
    while (remaining_ns := entry.finished_ns - time.monotonic_ns()) > 0:
        await asyncio.sleep(remaining_ns / 1e9)
