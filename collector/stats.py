"""Order statistics, as DESIGN.md section 5 wants them: rank ceil(p n), never interpolated, never averaged."""

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from collector.result import Spread

NS_PER_S = 1e9


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
    return _at_rank(np.sort(values), p, infinite)


def spread(values_s: NDArray[np.float64], infinite: int = 0) -> Spread:
    """Describe seconds by mean, percentiles and maximum; the mean is over the finite values, `max` is rank n of all."""
    ordered = np.sort(values_s)
    return Spread(
        mean=mean(ordered),
        p50=_at_rank(ordered, 0.5, infinite),
        p90=_at_rank(ordered, 0.9, infinite),
        p95=_at_rank(ordered, 0.95, infinite),
        p99=_at_rank(ordered, 0.99, infinite),
        p99_9=_at_rank(ordered, 0.999, infinite),
        max=_at_rank(ordered, 1.0, infinite),
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
