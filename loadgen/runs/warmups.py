"""Warm-ups: a few requests before time zero, through the senders of the run."""

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


def warm_up(
    pool: ProcessPool, plan: Plan, urls: int, notify: Callable[[str], None], concurrency: int = 1
) -> list[Warmup]:
    """Send the plan's warm-ups to each of `urls` base URLs, `concurrency` at a time, from the senders in turn."""
    turns = [(entry, replica) for entry in plan.warmups for replica in range(urls)]
    answers: dict[tuple[int, int], dict[str, Any]] = {}
    for turn, (entry, replica) in enumerate(turns):
        what = f"warm-up {turn + 1} of {len(turns)}"
        notify(what)
        sender = pool.senders[turn % len(pool.senders)]
        sender.channel.send("warmup", entry=entry, replica=replica, size=plan.shapes[entry, :2].tolist())
        left = 0 if turn + 1 == len(turns) else concurrency - 1
        while turn + 1 - len(answers) > left:
            for message in wait_for_answers(pool.processes, what, notify):
                answers[message["entry"], message["replica"]] = message
    return [_warmup(plan.shapes[turn[0]].tolist(), turn[1], answers[turn]) for turn in turns]


def _warmup(shape: list[int], replica: int, message: dict[str, Any]) -> Warmup:
    width, height, frames, steps = shape
    latency_ms, error = message["latency_ns"] / 1e6, message["error"]
    return Warmup(latency_ms, (width, height, frames, steps), error, message["detail"], message["received"], replica)


def wait_for_answers(
    processes: ChildProcesses, what: str, notify: Callable[[str], None], every_s: float = REMIND_S
) -> list[dict[str, Any]]:
    """Wait for an answer to a warm-up, with a status line every `every_s`; ProcessError if a process dies.

    Returns all answers that have come at once.
    """
    began_s = reminded_s = time.monotonic()
    while True:
        answers: list[dict[str, Any]] = []
        for child, message in processes.messages(every_s):
            if message["kind"] == "died":
                raise ProcessError(f"{child.name} died during {what} ({child.exit_reason()})")
            if message["kind"] == "warmed":
                answers.append(message)
        if answers:
            return answers
        if time.monotonic() - reminded_s >= every_s:
            reminded_s = time.monotonic()
            notify(f"{what} has no answer after {reminded_s - began_s:.0f} s")
