"""What it costs to poll video jobs: CPU of one event loop with 100 jobs open, for several job durations.

Interleaved with it runs its baseline, the least it can cost (polling_baseline.py): a busy machine raises both.

python -m scripts.benching.polling    starts the server, which answers that the job is in progress
"""

import asyncio
import gc
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, cast

import uvloop

from loadgen.backends import Request, videos
from loadgen.clock import SECOND_NS
from loadgen.engine.jobs import Jobs
from loadgen.engine.poll_intervals import Polling
from loadgen.options import JobOptions, TargetOptions
from loadgen.server.target import Target, resolve
from loadgen.transport import make_transport
from loadgen.transport.interface import Answer, Exchange
from scripts.benching.errors import NoResultError
from scripts.benching.polling_baseline import Baseline
from scripts.benching.table import markdown, number, seconds

JOBS: Final = 100
EXPECTED_S: Final = (5, 20, 60, 200)
MOST_SHARE: Final = 0.05  # of a core
GOAL_S: Final = 60
_CREATE: Final = Request("POST", videos.path, "text/plain", b"a job")
_BODY: Final = b'{"id":"video_1","object":"video","status":"in_progress","progress":50,"size":"832x480"}'
_ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_BODY) + _BODY


class Cost(NamedTuple):
    """Polls a second, and the share of a core that they took."""

    polls: float
    share: float


Poll = Callable[[Target, int, float], Coroutine[Any, Any, Cost]]


def polling_table(over_s: float = 4.0) -> str:
    """Measure each expected time, ours and the baseline, and return the table."""
    heads = (f"{JOBS} jobs that take", "polls a second", "of a core", "CPU a poll", "a bare loop", "CPU a poll")
    return markdown(heads, [_row(expected_s, over_s) for expected_s in EXPECTED_S])


def _row(expected_s: float, over_s: float) -> tuple[str, ...]:
    ours, least = measure(expected_s, over_s), measure(expected_s, over_s, poll_bare)
    costs = ((f"{100 * cost.share:.1f} %", seconds(cost.share / cost.polls)) for cost in (ours, least))
    return (seconds(expected_s), number(ours.polls), *(cell for cost in costs for cell in cost))


async def poll_jobs(target: Target, expected_ns: int, over_s: float) -> Cost:
    """Keep 100 jobs open that are expected to take so long, by the adaptive interval, and poll them for `over_s`."""
    transport = make_transport("native", target)
    counting = Counting(transport.send)
    transport.send = counting.send  # type: ignore[method-assign]
    jobs = Jobs(transport, videos, JobOptions(delete=False), None, "polls")
    jobs.polling.learn(expected_ns)
    await jobs.open(JOBS)
    ended: list[Answer] = []
    open_jobs = [jobs.send(_CREATE, ended.append) for _ in range(JOBS)]
    cost = await _cost(lambda: counting.sent, over_s)
    if ended:
        raise NoResultError(f"{len(ended)} of {JOBS} jobs ended: {ended[0].detail or ended[0].status}")
    for job in open_jobs:
        job.abandon()
    return cost


async def poll_bare(target: Target, expected_ns: int, over_s: float) -> Cost:
    """Write and read at the same rate, and do nothing else."""
    gaps = Polling(None, "polls")
    gaps.learn(expected_ns)
    shared, connections = await Baseline.open(target, JOBS, gaps)
    cost = await _cost(lambda: shared.sent, over_s)
    for connection in connections:
        connection.close()
    return cost


def measure(expected_s: float, over_s: float, poll: Poll = poll_jobs) -> Cost:
    """Measure one way to poll, of jobs that take so long, against a server in a process of its own."""
    with pending_server() as url:
        return uvloop.run(poll(resolve(TargetOptions(base_url=url)), int(expected_s * SECOND_NS), over_s))


async def _cost(sent: Callable[[], int], over_s: float) -> Cost:
    """Wait for a steady state, then measure the CPU of this process while it polls."""
    await asyncio.sleep(1)
    gc.collect()
    gc.disable()
    first, cpu_s, wall_s = sent(), time.process_time(), time.monotonic()
    await asyncio.sleep(over_s)
    took_s = time.monotonic() - wall_s
    share = (time.process_time() - cpu_s) / took_s
    gc.enable()
    return Cost((sent() - first) / took_s, share)


class Counting:
    """Counts what is sent."""

    def __init__(self, send: Callable[..., Exchange]) -> None:
        self._send, self.sent = send, 0

    def send(self, request: Request, done: Callable[[Answer], None], not_before_ns: int = 0) -> Exchange:
        """Send it on."""
        self.sent += 1
        return self._send(request, done, not_before_ns)


@contextmanager
def pending_server() -> Iterator[str]:
    """Run the server in a process of its own; give its base URL."""
    arguments = [sys.executable, "-m", "scripts.benching.polling"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()


class _Pending(asyncio.Protocol):
    """Answers every piece that comes, for each request is one."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._transport.write(_ANSWER)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Pending, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve())
