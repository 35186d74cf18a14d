"""The affine model of latency: a fixed cost, and so much for each unit of work."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

LEAST_SIZES: Final = 3  # two lie on a line whatever they are


@dataclass(frozen=True, slots=True)
class Affine:
    """latency in ms = fixed_ms + unit_ms * units; neither is below 0."""

    fixed_ms: float
    unit_ms: float

    def latency_ms(self, units: ArrayLike) -> Floats:
        """Predict the latency of that much work."""
        return self.fixed_ms + self.unit_ms * np.asarray(units, dtype=np.float64)


def fit(latency_ms: ArrayLike, units: ArrayLike) -> Affine:
    """Fit by least squares under coefficients of 0 or more; latencies and units are of the same warm-ups, in order.

    With two coefficients the best is the line itself or lies on an edge: a line through the origin, or a level one.
    """
    y, x = np.asarray(latency_ms, dtype=np.float64), np.asarray(units, dtype=np.float64)
    away = x - x.mean()
    slope = float(away @ y / (away @ away)) if np.any(away) else 0.0
    line = Affine(float(y.mean()) - slope * float(x.mean()), slope)
    edges = [Affine(0.0, max(float(x @ y / (x @ x)), 0.0)), Affine(max(float(y.mean()), 0.0), 0.0)]
    if line.fixed_ms >= 0 and line.unit_ms >= 0:
        return line
    return min(edges, key=lambda model: float(np.sum((y - model.latency_ms(x)) ** 2)))
