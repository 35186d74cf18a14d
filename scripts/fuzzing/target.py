"""A fuzzing target: a strategy that generates cases, and a check of one case."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

BATCH: Final = 1000  # cases from one seed; hypothesis keeps what it has tried, and gets slow where that is much


@dataclass(frozen=True, slots=True)
class Target:
    """`check` carries a case out and says in a word what came of it; it raises where that may not be.

    `share` is its part of all cases, beside the shares of the others.
    """

    name: str
    share: int
    strategy: SearchStrategy[Any]
    check: Callable[[Any], str]


@dataclass(slots=True)
class Tally:
    """How many cases were carried out, what came of them, and the seconds that it took."""

    cases: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


def run(target: Target, cases: int, seconds: float, first_seed: int, tally: Tally) -> None:
    """Carry out `cases`, or as many as `seconds` allow; the first that fails is raised, made small."""
    began, number = time.monotonic(), first_seed
    while tally.cases < cases and tally.seconds < seconds:
        try:
            _batch(target, min(BATCH, cases - tally.cases), number, tally, began + seconds)
        finally:
            tally.seconds = time.monotonic() - began
        number += 1


def _batch(target: Target, cases: int, number: int, tally: Tally, deadline: float) -> None:
    @seed(number)
    @settings(
        max_examples=cases,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(target.strategy)
    def each(case: Any) -> None:
        if time.monotonic() > deadline:
            return  # and is not counted
        outcome = target.check(case)
        tally.cases += 1
        tally.outcomes[outcome] += 1

    each()
