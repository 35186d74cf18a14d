"""The figures that two runs are compared by: what they are called, and which way is worse."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from collector.statistics.intervals import Ends

Unit = Literal["s", "1/s", "share"]
SHARES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
KINDS: Final = ("response", "service")

ONLY_RUNS: Final = "needs run folders"


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a run; `worse` is +1 where more of it is worse, -1 where less is."""

    name: str
    unit: Unit
    worse: Literal[1, -1]

    @property
    def label(self) -> str:
        """Its name for people."""
        return self.name.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure's value in one run: inf where it falls among requests that never ended, nan where there is none.

    `ends` are those of its interval; where there is no interval, `why` says so.
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

    Raises LookupError, TypeError, ValueError or AttributeError where it is no result.
    """
    completed, failed = _number(result["completed_requests"]), _number(result["failed_requests"])
    ended = completed + failed
    throughput = _number(result["throughput_qps"])
    return {
        **{f"{kind}_{p}": _percentile(result[kind], p) for kind in KINDS for p in SHARES},
        ATTAINMENT.name: _attainment(result),
        THROUGHPUT.name: Estimate(throughput, None, ONLY_RUNS),
        ERROR_SHARE.name: Estimate(failed / ended if ended else math.nan, None, ONLY_RUNS),
    }


def _percentile(spread: Mapping[str, Any], p: str) -> Estimate:
    value, n = _number(spread[p]), _number(spread["n"])
    if math.isnan(value) and n > 0:
        value = math.inf
    needed = spread["needs_n"].get(p)
    why = f"needs n >= {int(needed):,}" if needed is not None else spread["no_interval"] or "it never ended"
    return _held(value, spread["ci"].get(p), str(why))


def _attainment(result: Mapping[str, Any]) -> Estimate:
    value = _number(result["slo_attainment_rate"])
    if math.isnan(value):
        return Estimate(value, None, "no request has a target")
    return _held(value, result["slo"]["ci"], "needs more requests")


def _held(value: float, ends: Iterable[Any] | None, why: str) -> Estimate:
    """Of an interval an upper end that is null is infinite."""
    if ends is None:
        return Estimate(value, None, why)
    lower, upper = ends
    held = _number(lower), math.inf if upper is None else _number(upper)
    if not held[0] <= value <= held[1]:
        raise ValueError(f"an interval that does not hold its {value:g}")
    return Estimate(value, held)


def _number(value: object) -> float:
    """A number of a JSON file; null is nan."""
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r:.20} is no number")
    return float(value)
