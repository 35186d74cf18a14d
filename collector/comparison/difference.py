"""By how much a figure of two runs differs, with intervals, and whether that is a regression."""

import math
from dataclasses import dataclass, replace
from typing import Literal, TypedDict

from collector.comparison.figures import Estimate, Figure, Unit
from collector.statistics.intervals import Ends, difference_interval


class Difference(TypedDict):
    """A figure of both runs: seconds, requests/s or shares of one; inf falls among requests that never ended.

    `difference` is b - a; `change` is b / a - 1, or of a share b - a. What is not known is nan. An interval that there
    is not is None, and `no_interval` says why. It was resampled in blocks of `block` requests (0: it was not), and
    made `wider` times as wide. `is_now` is what the interval of the change says.
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
    wider: float
    block: int
    no_interval: str | None
    is_now: Literal["worse", "better", "unclear"] | None


@dataclass(frozen=True, slots=True)
class Intervals:
    """Of a figure's difference b - a, and of its change b / a - 1; to be made so many times `wider`.

    `block` is how many requests were resampled together, 0 where nothing was resampled.
    """

    difference: Ends
    change: Ends
    wider: float = 1.0
    block: int = 0


Known = Intervals | str  # or why there are none


def difference(figure: Figure, a: Estimate, b: Estimate, known: Known | None = None) -> Difference:
    """Put a figure of two runs together; without `known` intervals, by those of the two estimates."""
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
        wider=ends.wider if ends else 1.0,
        block=ends.block if ends else 0,
        no_interval=None if isinstance(found, Intervals) else found,
        is_now=_is_now(figure, ends.change) if ends else None,
    )


def worsening(found: Difference) -> tuple[float, float]:
    """How much worse it became, and at least so much by the interval (-inf without one); shares of one, 0.1 is 10 %."""
    ends, up = found["change_ci"], found["worse_if"] == "higher"
    least = -math.inf if ends is None else ends[0] if up else -ends[1]
    return (found["change"] if up else -found["change"]), least


def _widened(found: Intervals, plain: float, change: float) -> Intervals:
    """Move the ends away from the estimates; those of a change as ratios, which do not go below 0."""
    if found.wider == 1 or not math.isfinite(plain) or not math.isfinite(change):
        return found
    ratio = _away(_logarithm(1 + change), _logarithms((1 + found.change[0], 1 + found.change[1])), found.wider)
    return replace(
        found,
        difference=_away(plain, found.difference, found.wider),
        change=(math.expm1(ratio[0]), math.expm1(ratio[1])),
    )


def _away(middle: float, ends: Ends, times: float) -> Ends:
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
        return "it falls among requests that never ended"
    plain = difference_interval(a.value, a.ends, b.value, b.ends)
    if figure.unit == "share":
        return Intervals(plain, plain)
    if min(*a.ends, *b.ends) <= 0:
        return "a time of 0 has no change in per cent"
    ratio = difference_interval(math.log(a.value), _logarithms(a.ends), math.log(b.value), _logarithms(b.ends))
    return Intervals(plain, (math.exp(ratio[0]) - 1, math.exp(ratio[1]) - 1))


def _logarithms(ends: Ends) -> Ends:
    return _logarithm(ends[0]), _logarithm(ends[1])


def _logarithm(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf
