"""Intervals that assume no distribution: for percentiles from binomial ranks, for shares by Clopper and Pearson.

Both count in effective observations, n / tau (see autocorrelation.py); they are equal-tailed, so each end is
missed with a probability of at most (1 - confidence) / 2 (David and Nagaraja, Order Statistics, section 7.1;
Clopper and Pearson, Biometrika 26, 1934).
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Ends = tuple[float, float]

_WIDTH = 12.0  # standard deviations; what lies beyond is less than a float can tell from nothing
_STEPS = 60  # halvings: below 1e-15


def quantile_ranks(p: float, n: int, confidence: float) -> tuple[int, int] | None:
    """Ranks (from 1) whose order statistics enclose the p-quantile with at least `confidence`; None if n is too small.

    With B the number of n values below the quantile, binomial (n, p): the lower rank l has P(B < l) <= alpha / 2, the
    upper rank u has P(B >= u) <= alpha / 2.
    """
    if n < least_n(p, confidence):
        return None
    first, below = _cumulative(n, p)
    tail = (1 - confidence) / 2
    lower = first + int(np.searchsorted(below, tail, side="right"))
    upper = first + int(np.searchsorted(below, 1 - tail, side="left")) + 1
    return (lower, min(upper, n)) if lower >= 1 else None


def least_n(p: float, confidence: float) -> int:
    """How many values it takes for both ends to be finite: p**n and (1 - p)**n at most alpha / 2."""
    return math.ceil(math.log((1 - confidence) / 2) / math.log(max(p, 1 - p)) - 1e-9)


def share_interval(successes: float, n: float, confidence: float) -> tuple[float, float] | None:
    """Interval of a share; `successes` of `n` may be effective counts, which are rounded. None for n below 1."""
    whole = math.floor(n)
    if whole < 1:
        return None
    hits, tail = min(round(successes), whole), (1 - confidence) / 2
    lower = 0.0 if hits == 0 else _solve(lambda p: 1 - binomial_cdf(hits - 1, whole, p) - tail)
    upper = 1.0 if hits == whole else _solve(lambda p: tail - binomial_cdf(hits, whole, p))
    return lower, upper


def binomial_cdf(k: int, n: int, p: float) -> float:
    """P(B <= k) for B binomial (n, p)."""
    if k < 0 or k >= n:
        return 0.0 if k < 0 else 1.0
    if not 0 < p < 1:
        return 1.0 if p <= 0 else 0.0
    first, below = _cumulative(n, p)
    if k < first:
        return 0.0
    return float(below[min(k - first, len(below) - 1)])


def difference_interval(a: float, a_ends: Ends, b: float, b_ends: Ends) -> Ends:
    """Interval of b - a from the ends of two independent estimates, which may be infinite.

    (Zou and Donner, Statistics in Medicine 27, 2008: "MOVER".) For estimates that rise together it is too wide.
    """
    lower = b - a - math.hypot(b - b_ends[0], a_ends[1] - a)
    return lower, b - a + math.hypot(b_ends[1] - b, a - a_ends[0])


def _cumulative(n: int, p: float) -> tuple[int, NDArray[np.float64]]:
    """P(B <= first), P(B <= first + 1), ... over all that matters, from ratios of neighbours around the mode."""
    deviation = math.sqrt(n * p * (1 - p))
    first = max(0, math.floor(n * p - _WIDTH * deviation - _WIDTH))
    last = min(n, math.ceil(n * p + _WIDTH * deviation + _WIDTH))
    k = np.arange(first, last)
    steps = np.log((n - k) / (k + 1)) + math.log(p / (1 - p))
    logarithm = np.concatenate([[0.0], np.cumsum(steps)])
    mass = np.exp(logarithm - logarithm.max())
    cumulative: NDArray[np.float64] = np.cumsum(mass / mass.sum())
    return first, cumulative


def _solve(rising: Callable[[float], float]) -> float:
    """Where a function that rises over [0, 1] crosses 0."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2
