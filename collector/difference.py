"""By how much a figure of two runs differs, with intervals, and whether that is a regression."""

import math
from dataclasses import dataclass
from typing import Literal, TypedDict

from collector.figure import Estimate, Figure, Unit
from collector.intervals import Ends, difference_interval


class Difference(TypedDict):
    """A figure of both runs: seconds, requests/s or shares of one; inf falls among requests that never ended.

    `change` is b / a - 1, or of a share b - a; `difference` is b - a of all. What is not known is nan, an interval that
    there is not is None, and `no_interval` says why. `is_now` is what the interval of the change says.
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
    no_interval: str | None
    is_now: Literal["worse", "better", "no other"] | None


@dataclass(frozen=True, slots=True)
class Intervals:
    """Of a figure's difference b - a, and of its change b / a - 1."""

    difference: Ends
    change: Ends


Known = Intervals | str  # or why there are none


def difference(figure: Figure, a: Estimate, b: Estimate, known: Known | None = None) -> Difference:
    """Put a figure of two runs together; without `known` intervals, by those of the two estimates."""
    found = _of_estimates(figure, a, b) if known is None else known
    ends = found if isinstance(found, Intervals) else None
    plain = b.value - a.value
    return Difference(
        figure=figure.name,
        unit=figure.unit,
        worse_if="higher" if figure.worse > 0 else "lower",
        a=a.value,
        b=b.value,
        difference=plain,
        difference_ci=ends.difference if ends else None,
        change=plain if figure.unit == "share" else b.value / a.value - 1 if a.value else math.nan,
        change_ci=ends.change if ends else None,
        no_interval=None if isinstance(found, Intervals) else found,
        is_now=_is_now(figure, ends.change) if ends else None,
    )


def worsening(found: Difference) -> tuple[float, float]:
    """How much worse it became, and at least so much by the interval (-inf without one); shares of one, 0.1 is 10 %."""
    ends, up = found["change_ci"], found["worse_if"] == "higher"
    least = -math.inf if ends is None else ends[0] if up else -ends[1]
    return (found["change"] if up else -found["change"]), least


def _is_now(figure: Figure, ends: Ends) -> Literal["worse", "better", "no other"]:
    if ends[0] <= 0 <= ends[1]:
        return "no other"
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
    return math.log(ends[0]), math.log(ends[1])
