"""Percentiles as order statistics: rank ceil(p n), never interpolated and never averaged over parts of a run."""

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from collector.statistics.autocorrelation import Correlation, correlation
from collector.statistics.intervals import min_n, quantile_ranks

NS_PER_S = 1e9
PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99_9": 0.999}


class Spread(TypedDict):
    """Mean, percentiles and maximum (rank n) of one series of times, in seconds.

    `n` includes requests that never ended; `n_effective` = n / tau is the effective sample size. `ci` has the ends of
    each percentile's interval (upper null: infinite), or null; `needs_n` gives the n that an interval takes where n is
    too small, `no_interval` the reason why there is no interval at all.
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
    """A percentile, the ends of its interval (upper None: infinite), and the n an interval takes if n is too small.

    Each is None if there is none.
    """

    value: float | None
    ci: list[float | None] | None
    needs_n: int | None


def rank(p: float, n: int) -> int:
    """The rank (from 1) of the p-quantile of n values: ceil(p n), exact for p as a decimal fraction. `p` is in (0, 1].

    In floats 0.07 * 100 is 7.000000000000001 and its ceiling 8, hence fractions. Raises ValueError for another p.
    """
    if not 0 < p <= 1:
        raise ValueError(f"a quantile is in (0, 1], not {p}")
    return math.ceil(Fraction(str(p)) * n)


def percentile(values: NDArray[np.float64], p: float, infinite: int = 0) -> float | None:
    """The p-quantile of `values` (finite, in any order) and of `infinite` more values that rank as +infinity.

    None for an empty set, and if the rank falls among the infinite values.
    """
    place = rank(p, len(values) + infinite)
    return float(np.partition(values, place - 1)[place - 1]) if 1 <= place <= len(values) else None


def spread(series_s: NDArray[np.float64], infinite: int = 0, confidence: float = 0.95) -> Spread:
    """Mean, percentiles with intervals, and maximum of times in seconds, float64[n] in schedule order.

    The mean is over the finite values, `max` is rank n of all. Intervals are for the effective sample size; the upper
    end is None if it falls among the infinite values, the interval is None if the effective sample size is too small.
    """
    ordered, correlated = np.sort(series_s), correlation(series_s)
    of = _quantiles(ordered, correlated, PERCENTILES, infinite, confidence)
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
        n_effective=n / correlated.tau,
        tau=correlated.tau,
        ci={name: each.ci for name, each in of.items()},
        needs_n={name: each.needs_n for name, each in of.items() if each.needs_n is not None},
        no_interval=None if correlated.enough else _too_short(correlated),
    )


def quantiles(
    series_s: NDArray[np.float64], shares: Mapping[str, float], infinite: int = 0, confidence: float = 0.95
) -> dict[str, Quantile]:
    """Further quantiles of a series in schedule order, by name; `shares` are in (0, 1]."""
    return _quantiles(np.sort(series_s), correlation(series_s), shares, infinite, confidence)


def _quantiles(
    ordered: NDArray[np.float64], correlated: Correlation, shares: Mapping[str, float], infinite: int, confidence: float
) -> dict[str, Quantile]:
    n = len(ordered) + infinite
    of = {}
    for name, p in shares.items():
        if p == 1:  # the maximum of a sample has no interval
            of[name] = Quantile(_at_rank(ordered, p, infinite), None, None)
            continue
        needed = _needed(p, correlated, confidence)
        ends = _interval(ordered, p, infinite, correlated, confidence)
        of[name] = Quantile(_at_rank(ordered, p, infinite), ends, needed if needed > n else None)
    return of


def _interval(
    ordered: NDArray[np.float64], p: float, infinite: int, correlated: Correlation, confidence: float
) -> list[float | None] | None:
    n = len(ordered) + infinite
    effective = int(n / correlated.tau)
    ranks = quantile_ranks(p, effective, confidence) if effective and correlated.enough else None
    if ranks is None:
        return None
    lower, upper = (max(1, math.floor(ranks[0] * n / effective)), math.ceil(ranks[1] * n / effective))
    ends = [float(ordered[place - 1]) if place <= len(ordered) else None for place in (lower, min(upper, n))]
    return None if ends[0] is None else ends


def _needed(p: float, correlated: Correlation, confidence: float) -> int:
    needed = math.ceil(min_n(p, confidence) * correlated.tau)
    return needed if correlated.tau == 1 else max(needed, correlated.needed)


def _too_short(correlated: Correlation) -> str:
    return (
        f"responses are correlated (tau = {correlated.tau:.3g}, effective n = {correlated.effective:.0f}); "
        f"an interval needs n >= {correlated.needed:,}"
    )


def mean(values: NDArray[np.float64]) -> float | None:
    """The arithmetic mean; None for an empty set."""
    return float(values.mean()) if len(values) else None


def seconds(nanoseconds: NDArray[np.int64]) -> NDArray[np.float64]:
    """Convert integer nanoseconds to float seconds."""
    return nanoseconds / NS_PER_S


def _at_rank(ordered: NDArray[np.float64], p: float, infinite: int) -> float | None:
    place = rank(p, len(ordered) + infinite)
    return float(ordered[place - 1]) if 1 <= place <= len(ordered) else None
