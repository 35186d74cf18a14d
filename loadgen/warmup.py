"""Warm-ups: a few requests before time zero, one at a time, through the senders that will do the work."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collector import slo as model
from loadgen.crew import Crew
from loadgen.errors import ProcessError, UsageError, WarmupError
from loadgen.options import SloOptions
from loadgen.plan import Plan


@dataclass(frozen=True, slots=True)
class Warmup:
    """How one warm-up went; `error` is None for a success. `shape` is width, height, frames, steps."""

    latency_ms: float
    shape: tuple[int, int, int, int]
    error: str | None
    detail: str


def needs_warmups(plan: Plan, options: SloOptions) -> bool:
    """Whether the SLO of some request has to be taken from warm-ups."""
    return options.enabled and bool(np.isnan(plan.slo_ms).any())


def check(plan: Plan, options: SloOptions) -> None:
    """Raise UsageError where the SLO is to be taken from warm-ups that were turned off."""
    if needs_warmups(plan, options) and not plan.warmups:
        missing = int(np.isnan(plan.slo_ms).sum())
        raise UsageError(
            f"--warmup-requests 0: {missing} of {len(plan)} requests have no slo_ms of their own, and --slo"
            " takes theirs from warm-ups; give --warmup-requests 1 or more"
        )


def warm_up(crew: Crew, plan: Plan, tell: Callable[[str], None]) -> list[Warmup]:
    """Send the plan's warm-ups, one at a time, the senders taking turns."""
    done: list[Warmup] = []
    for turn, entry in enumerate(plan.warmups):
        tell(f"warm-up {turn + 1} of {len(plan.warmups)}")
        sender = crew.senders[turn % len(crew.senders)]
        sender.channel.send("warmup", entry=entry)
        message = _answer(crew, sender.name)
        width, height, frames, steps = plan.shapes[entry].tolist()
        done.append(
            Warmup(message["latency_ns"] / 1e6, (width, height, frames, steps), message["error"], message["detail"])
        )
    return done


def _answer(crew: Crew, name: str) -> dict[str, Any]:
    while True:
        for member, message in crew.group.news(None):
            if message["kind"] == "died":
                raise ProcessError(f"{member.name} died during the warm-up of {name} ({member.last_words()})")
            if message["kind"] == "warmed":
                return message


def targets_ms(plan: Plan, warmups: list[Warmup], options: SloOptions) -> tuple[NDArray[np.float64], float | None]:
    """Return the target of each request in ms, and the milliseconds per unit that they were taken from, if any.

    Raises WarmupError where a warm-up is needed and none succeeded.
    """
    if not needs_warmups(plan, options):
        return plan.slo_ms, None
    good = [warmup for warmup in warmups if warmup.error is None]
    if not good:
        last = warmups[-1]
        raise WarmupError(
            f"no warm-up succeeded, so --slo has nothing to go by (the last one: {last.error}: {last.detail})"
        )
    work = model.units(*np.array([warmup.shape for warmup in good]).T)
    unit_ms = model.linear_unit_ms([warmup.latency_ms for warmup in good], work)
    assert unit_ms is not None
    return model.linear_slo_ms(plan.slo_ms, model.units(*plan.shapes[plan.entries].T), unit_ms, options.scale), unit_ms
