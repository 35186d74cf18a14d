"""The affine latency model: a fixed cost plus a cost per unit of work, fitted to warm-ups."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

MIN_SIZES: Final = 3  # distinct sizes; two always lie on a line


@dataclass(frozen=True, slots=True)
class Affine:
    """latency in ms = fixed_ms + unit_ms * units; neither is below 0."""

    fixed_ms: float
    unit_ms: float

    def latency_ms(self, units: ArrayLike) -> Floats:
        """Predict the latency in ms of this many units of work, element by element."""
        return self.fixed_ms + self.unit_ms * np.asarray(units, dtype=np.float64)


def fit(latency_ms: ArrayLike, units: ArrayLike) -> Affine:
    """Fit by least squares with non-negative coefficients; both arrays have one entry per warm-up, in the same order.

    The optimum is the unconstrained line, or it lies on an edge: a line through the origin, or a horizontal one.
    """
    y, x = np.asarray(latency_ms, dtype=np.float64), np.asarray(units, dtype=np.float64)
    deviation = x - x.mean()
    slope = float(deviation @ y / (deviation @ deviation)) if np.any(deviation) else 0.0
    line = Affine(float(y.mean()) - slope * float(x.mean()), slope)
    edges = [Affine(0.0, max(float(x @ y / (x @ x)), 0.0)), Affine(max(float(y.mean()), 0.0), 0.0)]
    if line.fixed_ms >= 0 and line.unit_ms >= 0:
        return line
    return min(edges, key=lambda model: float(np.sum((y - model.latency_ms(x)) ** 2)))
