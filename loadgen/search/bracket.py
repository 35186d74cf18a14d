"""The bracket between the highest rate shown to hold and the lowest shown to fail, and the next rate to test."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from loadgen.search.decision import Decision

MAX_RATES: Final = 10  # tested in one search at most; each gets an equal part of the error
_STEP: Final = 2.0  # factor from rate to rate until both ends are known


@dataclass(frozen=True, slots=True)
class RateTest:
    """A rate in requests/s and the decision on it, with what that rests on.

    `capped` says that the concurrency budget was too small for the rate. `requests` were sent in VALID runs, of which
    `met` met their target; `states` are the verdicts of all runs, which `sent` so many requests;
    `request_errors` counts the failed ones by kind.
    """

    rate: float
    decision: Decision
    capped: bool = False
    requests: int = 0
    met: int = 0
    states: tuple[str, ...] = ()
    sent: int = 0
    request_errors: Mapping[str, int] = field(default_factory=dict)

    @property
    def attainment(self) -> float | None:
        """Share of the requests that met their target; None if there was no VALID run."""
        return self.met / self.requests if self.requests else None


@dataclass(frozen=True, slots=True)
class Bracket:
    """Highest rate shown to hold, lowest shown to fail, in requests/s; None if there is none."""

    holds: float | None
    fails: float | None


def bracket(tested: Sequence[RateTest]) -> Bracket:
    """Return the bracket that the tested rates make."""
    holding = [each.rate for each in tested if each.decision is Decision.HOLDS]
    failing = [each.rate for each in tested if each.decision is Decision.FAILS]
    return Bracket(max(holding, default=None), min(failing, default=None))


def next_rate(tested: Sequence[RateTest], precision: float) -> float | None:
    """Return the next rate to test; None once neighbouring rates are all within a factor of `precision`.

    Until both ends are known, rates double or halve; then bisection splits the widest gap inside the bracket at its
    geometric mean, where an undecided rate bounds a gap as any other does. So no rate is tested twice, none outside the
    bracket, and no two decisions contradict each other. Rates above a `capped` one are not tried.
    """
    if len(tested) >= MAX_RATES:
        return None
    ends, rates = bracket(tested), sorted(each.rate for each in tested)
    capped = {each.rate for each in tested if each.capped}
    if ends.holds is None and (ends.fails is not None or rates[-1] in capped):
        return rates[0] / _STEP
    if ends.fails is None and rates[-1] not in capped:
        return rates[-1] * _STEP
    inside = [rate for rate in rates if _within(rate, ends)]
    gaps = [(high / low, low, high) for low, high in pairwise(inside) if high / low > precision]
    if not gaps:
        return None
    _, low, high = max(gaps)
    return math.sqrt(low * high)


def _within(rate: float, ends: Bracket) -> bool:
    return (ends.holds or 0.0) <= rate <= (math.inf if ends.fails is None else ends.fails)
