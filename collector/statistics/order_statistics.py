"""Order statistics, as DESIGN.md section 5 wants them: rank ceil(p n), never interpolated, never averaged."""

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from collector.statistics.autocorrelation import Correlation, correlation
from collector.statistics.intervals import least_n, quantile_ranks

NS_PER_S = 1e9
PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99_9": 0.999}


class Spread(TypedDict):
    """Mean and order statistics of one kind of time, in seconds; `max` is rank n.

    `n` counts those that never ended too, `n_effective` = n / tau what they are worth as independent ones. `ci` has the
    ends of each percentile's interval (upper null: infinite), or null; `needs_n` says how many it takes where n is too
    small, `no_interval` why there is none at all.
    """

    mean: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    p99_9: float | None
    max: float | None
    n: int
    n_effective: float
    tau: float
    ci: Mapping[str, list[float | None] | None]
    needs_n: Mapping[str, int]
    no_interval: str | None


class Quantile(NamedTuple):
    """An order statistic, the ends of its interval (upper None: infinite), and how many it takes where n is too small.

    None for what there is not.
    """

    value: float | None
    ci: list[float | None] | None
    needs_n: int | None


def rank(p: float, n: int) -> int:
    """Give the rank (from 1) of the p-quantile of n values: ceil(p n), exact for the decimal that p was written as.

    In floats 0.07 * 100 is 7.000000000000001 and its ceiling 8, hence fractions. `p` is a share in (0, 1].
    """
    if not 0 < p <= 1:
        raise ValueError(f"a quantile lies in (0, 1], not at {p}")
    return math.ceil(Fraction(str(p)) * n)


def percentile(values: NDArray[np.float64], p: float, infinite: int = 0) -> float | None:
    """Pick the p-quantile of `values` and of `infinite` more that rank as +infinity.

    `values` are finite, in any order. None for an empty set and where the rank falls among the infinite.
    """
    place = rank(p, len(values) + infinite)
    return float(np.partition(values, place - 1)[place - 1]) if 1 <= place <= len(values) else None


def spread(series_s: NDArray[np.float64], infinite: int = 0, confidence: float = 0.95) -> Spread:
    """Describe seconds, given in schedule order, by mean, percentiles, maximum, and intervals of the percentiles.

    The mean is over the finite values, `max` is rank n of all. An interval counts in effective observations; its upper
    end is None where it falls among the infinite, and it is None itself where there are too few.
    """
    ordered, found = np.sort(series_s), correlation(series_s)
    of = _quantiles(ordered, found, PERCENTILES, infinite, confidence)
    n = len(ordered) + infinite
    return Spread(
        mean=mean(ordered),
        p50=of["p50"].value,
        p90=of["p90"].value,
        p95=of["p95"].value,
        p99=of["p99"].value,
        p99_9=of["p99_9"].value,
        max=_at_rank(ordered, 1.0, infinite),
        n=n,
        n_effective=n / found.tau,
        tau=found.tau,
        ci={name: each.ci for name, each in of.items()},
        needs_n={name: each.needs_n for name, each in of.items() if each.needs_n is not None},
        no_interval=None if found.enough else _too_short(found),
    )


def quantiles(
    series_s: NDArray[np.float64], shares: Mapping[str, float], infinite: int = 0, confidence: float = 0.95
) -> dict[str, Quantile]:
    """Give further quantiles of a series in schedule order, by name; `shares` are in (0, 1]."""
    return _quantiles(np.sort(series_s), correlation(series_s), shares, infinite, confidence)


def _quantiles(
    ordered: NDArray[np.float64], found: Correlation, shares: Mapping[str, float], infinite: int, confidence: float
) -> dict[str, Quantile]:
    n = len(ordered) + infinite
    of = {}
    for name, p in shares.items():
        if p == 1:  # the largest of those that were seen; of those to come nobody knows one
            of[name] = Quantile(_at_rank(ordered, p, infinite), None, None)
            continue
        needed = _needed(p, found, confidence)
        ends = _interval(ordered, p, infinite, found, confidence)
        of[name] = Quantile(_at_rank(ordered, p, infinite), ends, needed if needed > n else None)
    return of


def _interval(
    ordered: NDArray[np.float64], p: float, infinite: int, found: Correlation, confidence: float
) -> list[float | None] | None:
    n = len(ordered) + infinite
    effective = int(n / found.tau)
    ranks = quantile_ranks(p, effective, confidence) if effective and found.enough else None
    if ranks is None:
        return None
    lower, upper = (max(1, math.floor(ranks[0] * n / effective)), math.ceil(ranks[1] * n / effective))
    ends = [float(ordered[place - 1]) if place <= len(ordered) else None for place in (lower, min(upper, n))]
    return None if ends[0] is None else ends


def _needed(p: float, found: Correlation, confidence: float) -> int:
    least = math.ceil(least_n(p, confidence) * found.tau)
    return least if found.tau == 1 else max(least, found.needed)


def _too_short(found: Correlation) -> str:
    return (
        f"neighbours resemble each other (tau {found.tau:.3g}), so {found.n} are worth {found.effective:.0f};"
        f" an interval needs {found.needed}"
    )


def mean(values: NDArray[np.float64]) -> float | None:
    """Take the arithmetic mean, None for an empty set."""
    return float(values.mean()) if len(values) else None


def seconds(nanoseconds: NDArray[np.int64]) -> NDArray[np.float64]:
    """Convert integer nanoseconds to float seconds."""
    return nanoseconds / NS_PER_S


def _at_rank(ordered: NDArray[np.float64], p: float, infinite: int) -> float | None:
    place = rank(p, len(ordered) + infinite)
    return float(ordered[place - 1]) if 1 <= place <= len(ordered) else None
