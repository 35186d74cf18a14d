"""Where to look next: the bracket between the highest rate shown to hold and the lowest shown to fail."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from loadgen.search.bound import Decision

RATES: Final = 10  # that one search visits at most; each gets an equal part of the error
_STEP: Final = 2.0  # from rate to rate until both ends are known


@dataclass(frozen=True, slots=True)
class Visit:
    """A rate that was looked at, and what came of it; `stuck`: the budget of permits was too small for it."""

    rate: float
    decision: Decision
    stuck: bool = False


@dataclass(frozen=True, slots=True)
class Bracket:
    """Highest rate shown to hold, lowest shown to fail, in requests/s; None where none was."""

    holds: float | None
    fails: float | None


def bracket(visits: Sequence[Visit]) -> Bracket:
    """Read the bracket off the visits."""
    held = [visit.rate for visit in visits if visit.decision is Decision.HOLDS]
    failed = [visit.rate for visit in visits if visit.decision is Decision.FAILS]
    return Bracket(max(held, default=None), min(failed, default=None))


def next_rate(visits: Sequence[Visit], precision: float) -> float | None:
    """Give the rate to look at after `visits`; None where neighbours are all within a factor of `precision`.

    Until both ends are known rates go up or down by a factor of two; then the widest gap between the ends is halved
    (geometrically), where a rate that stayed open parts a gap as any other does. So a rate is never visited twice, and
    none outside the bracket: no two decisions contradict each other. A rate that was `stuck` is not gone beyond.
    """
    if len(visits) >= RATES:
        return None
    ends, rates = bracket(visits), sorted(visit.rate for visit in visits)
    stuck = {visit.rate for visit in visits if visit.stuck}
    if ends.holds is None and (ends.fails is not None or rates[-1] in stuck):
        return rates[0] / _STEP
    if ends.fails is None and rates[-1] not in stuck:
        return rates[-1] * _STEP
    inside = [rate for rate in rates if _within(rate, ends)]
    wide = [(high / low, low, high) for low, high in pairwise(inside) if high / low > precision]
    if not wide:
        return None
    _, low, high = max(wide)
    return math.sqrt(low * high)


def _within(rate: float, ends: Bracket) -> bool:
    return (ends.holds or 0.0) <= rate <= (math.inf if ends.fails is None else ends.fails)
