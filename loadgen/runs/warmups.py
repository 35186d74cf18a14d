"""Warm-ups: a few requests before time zero, one at a time, through the senders of the run."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from loadgen.errors import ProcessError
from loadgen.planning.plan import Plan
from loadgen.processes.child_processes import ChildProcesses
from loadgen.runs.process_pool import ProcessPool

REMIND_S: Final = 10.0  # between status lines while a warm-up has no answer


@dataclass(frozen=True, slots=True)
class Warmup:
    """The result of one warm-up; `error` is None for a success. `shape` is width, height, frames, steps.

    `received` is the size of the answer's body in bytes, `replica` the number of the base URL.
    """

    latency_ms: float
    shape: tuple[int, int, int, int]
    error: str | None
    detail: str
    received: int = 0
    replica: int = 0


def warm_up(pool: ProcessPool, plan: Plan, urls: int, notify: Callable[[str], None]) -> list[Warmup]:
    """Send the plan's warm-ups to each of `urls` base URLs, one at a time, from the senders in turn."""
    done: list[Warmup] = []
    turns = [(entry, replica) for entry in plan.warmups for replica in range(urls)]
    for turn, (entry, replica) in enumerate(turns):
        what = f"warm-up {turn + 1} of {len(turns)}"
        notify(what)
        sender = pool.senders[turn % len(pool.senders)]
        sender.channel.send("warmup", entry=entry, replica=replica, size=plan.shapes[entry, :2].tolist())
        message = wait_for_answer(pool.processes, sender.name, what, notify)
        width, height, frames, steps = plan.shapes[entry].tolist()
        shape, latency_ms = (width, height, frames, steps), message["latency_ns"] / 1e6
        done.append(Warmup(latency_ms, shape, message["error"], message["detail"], message["received"], replica))
    return done


def wait_for_answer(
    processes: ChildProcesses, name: str, what: str, notify: Callable[[str], None], every_s: float = REMIND_S
) -> dict[str, Any]:
    """Wait for the answer to a warm-up, with a status line every `every_s`; ProcessError if a process dies."""
    began_s = reminded_s = time.monotonic()
    while True:
        for child, message in processes.news(every_s):
            if message["kind"] == "died":
                raise ProcessError(f"{child.name} died during the warm-up of {name} ({child.exit_reason()})")
            if message["kind"] == "warmed":
                return message
        if time.monotonic() - reminded_s >= every_s:
            reminded_s = time.monotonic()
            notify(f"{what} has no answer after {reminded_s - began_s:.0f} s")
