"""The cumulative distribution function of the gamma distribution, for arrays, without scipy.

Below the mode by the power series, above it by Legendre's continued fraction (Abramowitz and Stegun, 6.5.29 and
6.5.31); for very large shapes, where both are slow, by the Wilson-Hilferty cube root (PNAS 17, 1931), which is
accurate to 1e-6 there.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LARGE: Final = 1e4
_EPSILON: Final = 1e-15
_MAX_STEPS: Final = 10_000  # the series needs a few times the square root of the largest shape
_TINY: Final = 1e-300


def gamma_cdf(x: Floats, shape: float) -> Floats:
    """P(X <= x), element by element, for X gamma with this shape and scale 1; 0 for x of 0 or less."""
    cdf = np.zeros(len(x))
    above = x > 0
    if shape > _LARGE:
        cdf[above] = _cube_root(x[above], shape)
        return cdf
    low, high = above & (x < shape + 1), above & (x >= shape + 1)
    cdf[low] = _front(x[low], shape) / shape * _series(x[low], shape)
    cdf[high] = 1 - _front(x[high], shape) * _fraction(x[high], shape)
    return np.clip(cdf, 0.0, 1.0)


def _front(x: Floats, shape: float) -> Floats:
    """x**a exp(-x) / Gamma(a), computed with logarithms."""
    front: Floats = np.exp(shape * np.log(x) - x - math.lgamma(shape))
    return front


def _series(x: Floats, shape: float) -> Floats:
    """1 + x / (a + 1) + x**2 / ((a + 1) (a + 2)) + ..."""
    term, total = np.ones(len(x)), np.ones(len(x))
    for step in range(1, _MAX_STEPS):
        term = term * x / (shape + step)
        total = total + term
        if np.all(term <= _EPSILON * total):
            break
    return total


def _fraction(x: Floats, shape: float) -> Floats:
    """1 / (x + 1 - a - 1 (1 - a) / (x + 3 - a - ...)), evaluated forwards (Lentz, Applied Optics 15, 1976)."""
    b = x + 1 - shape
    c, d = np.full(len(x), 1 / _TINY), 1 / b
    total = d
    for step in range(1, _MAX_STEPS):
        a, b = step * (shape - step), b + 2
        d, c = 1 / _not_zero(a * d + b), _not_zero(b + a / c)
        total = total * c * d
        if np.all(np.abs(c * d - 1) <= _EPSILON):
            break
    return total


def _not_zero(values: Floats) -> Floats:
    return np.where(np.abs(values) < _TINY, _TINY, values)


def _cube_root(x: Floats, shape: float) -> Floats:
    variance = 1 / (9 * shape)
    deviations = (np.cbrt(x / shape) - (1 - variance)) / math.sqrt(variance)
    return (1 + np.array([math.erf(deviation / math.sqrt(2)) for deviation in deviations])) / 2
