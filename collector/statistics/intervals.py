"""Distribution-free intervals: binomial ranks for percentiles, Clopper-Pearson for shares.

Both take the effective sample size, n / tau (see autocorrelation.py), as n. They are equal-tailed: each end is missed
with a probability of at most (1 - confidence) / 2 (David and Nagaraja, Order Statistics, section 7.1;
Clopper and Pearson, Biometrika 26, 1934).
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Ends = tuple[float, float]

_WIDTH = 12.0  # standard deviations; the probability beyond is below the resolution of a float
_STEPS = 60  # bisections: accurate to 1e-15


def quantile_ranks(p: float, n: int, confidence: float) -> tuple[int, int] | None:
    """Ranks (from 1) whose order statistics enclose the p-quantile with at least `confidence`; None if n is too small.

    With B the number of n values below the quantile, binomial (n, p): the lower rank l has P(B < l) <= alpha / 2, the
    upper rank u has P(B >= u) <= alpha / 2.
    """
    if n < min_n(p, confidence):
        return None
    first, below = _cumulative(n, p)
    tail = (1 - confidence) / 2
    lower = first + int(np.searchsorted(below, tail, side="right"))
    upper = first + int(np.searchsorted(below, 1 - tail, side="left")) + 1
    return (lower, min(upper, n)) if lower >= 1 else None


def min_n(p: float, confidence: float) -> int:
    """The smallest n for which both ends are finite: p**n and (1 - p)**n are at most alpha / 2."""
    return math.ceil(math.log((1 - confidence) / 2) / math.log(max(p, 1 - p)) - 1e-9)


def share_interval(successes: float, n: float, confidence: float) -> tuple[float, float] | None:
    """Clopper-Pearson interval of a share; both may be effective counts, which are rounded. None for n below 1."""
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

    (MOVER: Zou and Donner, Statistics in Medicine 27, 2008.) It is too wide for positively correlated estimates.
    """
    lower = b - a - math.hypot(b - b_ends[0], a_ends[1] - a)
    return lower, b - a + math.hypot(b_ends[1] - b, a - a_ends[0])


def _cumulative(n: int, p: float) -> tuple[int, NDArray[np.float64]]:
    """`first`, and P(B <= first), P(B <= first + 1), ... around the mode, from ratios of successive probabilities."""
    deviation = math.sqrt(n * p * (1 - p))
    first = max(0, math.floor(n * p - _WIDTH * deviation - _WIDTH))
    last = min(n, math.ceil(n * p + _WIDTH * deviation + _WIDTH))
    k = np.arange(first, last)
    steps = np.log((n - k) / (k + 1)) + math.log(p / (1 - p))
    logarithm = np.concatenate([[0.0], np.cumsum(steps)])
    mass = np.exp(logarithm - logarithm.max())
    cumulative: NDArray[np.float64] = np.cumsum(mass / mass.sum())
    return first, cumulative


def _solve(increasing: Callable[[float], float]) -> float:
    """The zero of a function that increases over [0, 1], by bisection."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if increasing(middle) < 0 else (low, middle)
    return (low + high) / 2
