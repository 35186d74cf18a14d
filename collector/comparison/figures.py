"""The figures by which two runs are compared: name, unit, and which direction is worse."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from collector.statistics.intervals import Ends

Unit = Literal["s", "1/s", "share"]
SHARES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
KINDS: Final = ("response", "service")

NEEDS_RECORDS: Final = "needs run folders"


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a run; `worse` is +1 if a higher value is worse, -1 if a lower one is."""

    name: str
    unit: Unit
    worse: Literal[1, -1]

    @property
    def label(self) -> str:
        """The name in reports."""
        return self.name.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Estimate:
    """The value of a figure in one run: inf if it falls among requests that never ended, nan if there is none.

    `ends` are those of its interval; without one, `why` gives the reason.
    """

    value: float
    ends: Ends | None = None
    why: str | None = None


ATTAINMENT: Final = Figure("attainment", "share", -1)
THROUGHPUT: Final = Figure("throughput", "1/s", -1)
ERROR_SHARE: Final = Figure("error_share", "share", 1)
FIGURES: Final = (
    *(Figure(f"{kind}_{p}", "s", 1) for kind in KINDS for p in SHARES),
    *(ATTAINMENT, THROUGHPUT, ERROR_SHARE),
)


def estimates(result: Mapping[str, Any]) -> dict[str, Estimate]:
    """Read the figures and their intervals from the result of a run.

    Raises LookupError, TypeError, ValueError or AttributeError if it is not a result.
    """
    completed, failed = _number(result["completed_requests"]), _number(result["failed_requests"])
    ended = completed + failed
    throughput = _number(result["throughput_qps"])
    return {
        **{f"{kind}_{p}": _percentile(result[kind], p) for kind in KINDS for p in SHARES},
        ATTAINMENT.name: _attainment(result),
        THROUGHPUT.name: Estimate(throughput, None, NEEDS_RECORDS),
        ERROR_SHARE.name: Estimate(failed / ended if ended else math.nan, None, NEEDS_RECORDS),
    }


def _percentile(spread: Mapping[str, Any], p: str) -> Estimate:
    value, n = _number(spread[p]), _number(spread["n"])
    if math.isnan(value) and n > 0:
        value = math.inf
    needed = spread["needs_n"].get(p)
    why = (
        f"needs n >= {int(needed):,}"
        if needed is not None
        else spread["no_interval"] or "too many requests never ended"
    )
    return _held(value, spread["ci"].get(p), str(why))


def _attainment(result: Mapping[str, Any]) -> Estimate:
    value = _number(result["slo_attainment_rate"])
    if math.isnan(value):
        return Estimate(value, None, "no request has a target")
    return _held(value, result["slo"]["ci"], "needs more requests")


def _held(value: float, ends: Iterable[Any] | None, why: str) -> Estimate:
    """An estimate with its interval, whose upper end is infinite if null."""
    if ends is None:
        return Estimate(value, None, why)
    lower, upper = ends
    held = _number(lower), math.inf if upper is None else _number(upper)
    if not held[0] <= value <= held[1]:
        raise ValueError(f"an interval that does not contain {value:g}")
    return Estimate(value, held)


def _number(value: object) -> float:
    """A number of a JSON file; null is nan."""
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r:.20} is not a number")
    return float(value)
