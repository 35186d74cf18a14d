"""The difference of a figure between two runs, with intervals, and whether it is a regression."""

import math
from dataclasses import dataclass, replace
from typing import Literal, TypedDict

from collector.comparison.figures import Estimate, Figure, Unit
from collector.statistics.intervals import Ends, difference_interval


class Difference(TypedDict):
    """A figure of both runs, in seconds, requests/s or as a share; inf: among requests that never ended, nan: unknown.

    `difference` is b - a; `change` is b / a - 1, or b - a for a share. An interval is None where there is none, and
    `no_interval` says why. Resampling took blocks of `block_length` requests (0: no resampling); the interval was made
    `width_factor` times as wide. `conclusion` is worse or better if the interval of the change excludes 0.
    """

    figure: str
    unit: Unit
    worse_if: Literal["higher", "lower"]
    a: float
    b: float
    difference: float
    difference_ci: Ends | None
    change: float
    change_ci: Ends | None
    width_factor: float
    block_length: int
    no_interval: str | None
    conclusion: Literal["worse", "better", "unclear"] | None


@dataclass(frozen=True, slots=True)
class Intervals:
    """Intervals of the difference b - a and of the change b / a - 1, to be made `width_factor` times as wide.

    `block_length` is that of the bootstrap in requests, 0 without resampling.
    """

    difference: Ends
    change: Ends
    width_factor: float = 1.0
    block_length: int = 0


Known = Intervals | str  # or the reason why there are none


def difference(figure: Figure, a: Estimate, b: Estimate, known: Known | None = None) -> Difference:
    """Compare a figure of two runs; without `known` intervals, from those of the two estimates."""
    found = _of_estimates(figure, a, b) if known is None else known
    plain = b.value - a.value
    change = plain if figure.unit == "share" else b.value / a.value - 1 if a.value else math.nan
    ends = _widened(found, plain, change) if isinstance(found, Intervals) else None
    return Difference(
        figure=figure.name,
        unit=figure.unit,
        worse_if="higher" if figure.worse > 0 else "lower",
        a=a.value,
        b=b.value,
        difference=plain,
        difference_ci=ends.difference if ends else None,
        change=change,
        change_ci=ends.change if ends else None,
        width_factor=ends.width_factor if ends else 1.0,
        block_length=ends.block_length if ends else 0,
        no_interval=None if isinstance(found, Intervals) else found,
        conclusion=_is_now(figure, ends.change) if ends else None,
    )


def worsening(found: Difference) -> tuple[float, float]:
    """The regression, and its lower bound by the interval (-inf without one), as shares: 0.1 is 10 % worse."""
    ends, up = found["change_ci"], found["worse_if"] == "higher"
    at_least = -math.inf if ends is None else ends[0] if up else -ends[1]
    return (found["change"] if up else -found["change"]), at_least


def _widened(found: Intervals, plain: float, change: float) -> Intervals:
    """Widen the intervals about the estimates; those of a change as ratios, which cannot be negative."""
    if found.width_factor == 1 or not math.isfinite(plain) or not math.isfinite(change):
        return found
    ratio = _scaled(_logarithm(1 + change), _logarithms((1 + found.change[0], 1 + found.change[1])), found.width_factor)
    return replace(
        found,
        difference=_scaled(plain, found.difference, found.width_factor),
        change=(math.expm1(ratio[0]), math.expm1(ratio[1])),
    )


def _scaled(middle: float, ends: Ends, times: float) -> Ends:
    if not math.isfinite(middle):
        return ends
    lower, upper = (middle + times * (end - middle) for end in ends)
    return min(lower, ends[0]), max(upper, ends[1])


def _is_now(figure: Figure, ends: Ends) -> Literal["worse", "better", "unclear"]:
    if ends[0] <= 0 <= ends[1]:
        return "unclear"
    return "worse" if (ends[0] > 0) == (figure.worse > 0) else "better"


def _of_estimates(figure: Figure, a: Estimate, b: Estimate) -> Known:
    if a.ends is None or b.ends is None:
        return (a.why if a.ends is None else b.why) or "not known"
    if not (math.isfinite(a.value) and math.isfinite(b.value)):
        return "the percentile falls among requests that never ended"
    plain = difference_interval(a.value, a.ends, b.value, b.ends)
    if figure.unit == "share":
        return Intervals(plain, plain)
    if min(*a.ends, *b.ends) <= 0:
        return "a relative change from 0 is not defined"
    ratio = difference_interval(math.log(a.value), _logarithms(a.ends), math.log(b.value), _logarithms(b.ends))
    return Intervals(plain, (math.exp(ratio[0]) - 1, math.exp(ratio[1]) - 1))


def _logarithms(ends: Ends) -> Ends:
    return _logarithm(ends[0]), _logarithm(ends[1])


def _logarithm(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf
