"""Warm-ups: a few requests before time zero, one at a time, through the senders that will do the work."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from loadgen.crew import Crew
from loadgen.errors import ProcessError
from loadgen.plan import Plan


@dataclass(frozen=True, slots=True)
class Warmup:
    """How one warm-up went; `error` is None for a success. `shape` is width, height, frames, steps.

    `received` is the size of the answer's body in bytes.
    """

    latency_ms: float
    shape: tuple[int, int, int, int]
    error: str | None
    detail: str
    received: int = 0


def warm_up(crew: Crew, plan: Plan, urls: int, tell: Callable[[str], None]) -> list[Warmup]:
    """Send the plan's warm-ups to each of so many URLs, one at a time, the senders taking turns."""
    done: list[Warmup] = []
    turns = [(entry, replica) for entry in plan.warmups for replica in range(urls)]
    for turn, (entry, replica) in enumerate(turns):
        tell(f"warm-up {turn + 1} of {len(turns)}")
        sender = crew.senders[turn % len(crew.senders)]
        sender.channel.send("warmup", entry=entry, replica=replica, size=plan.shapes[entry, :2].tolist())
        message = _answer(crew, sender.name)
        width, height, frames, steps = plan.shapes[entry].tolist()
        shape, latency_ms = (width, height, frames, steps), message["latency_ns"] / 1e6
        done.append(Warmup(latency_ms, shape, message["error"], message["detail"], message["received"]))
    return done


def _answer(crew: Crew, name: str) -> dict[str, Any]:
    while True:
        for member, message in crew.group.news(None):
            if message["kind"] == "died":
                raise ProcessError(f"{member.name} died during the warm-up of {name} ({member.last_words()})")
            if message["kind"] == "warmed":
                return message
