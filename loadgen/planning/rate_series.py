"""A changing rate (`--rate-series`): points (seconds, requests per second) joined by straight lines.

The expected number of arrivals up to t is the area under the lines, L(t). Constant arrivals are due where L reaches
0, 1, 2, ...; Poisson arrivals where it reaches the arrivals of a Poisson process of rate 1, which is exact (Cinlar,
Introduction to Stochastic Processes, 1975, section 4.7: the time change of an inhomogeneous Poisson process).
"""

import math
import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from loadgen.errors import InputError, UsageError

_MAX_DURATION_S: Final = 1e9
_FLAG: Final = "--rate-series"
Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class RateSeries:
    """Points (seconds from time zero, requests/s): the first at 0, in order of time, two at the same time for a jump.

    Raises UsageError for any others.
    """

    points: Points

    def __post_init__(self) -> None:
        if len(self.points) < 2:
            raise UsageError(f"{_FLAG}: give two points or more, such as 0:1,60:5")
        if self.points[0][0] != 0:
            raise UsageError(f"{_FLAG}: the first point is at second {self.points[0][0]:g}; it must be at 0")
        for (before_s, _), (after_s, _) in pairwise(self.points):
            if after_s < before_s:
                raise UsageError(f"{_FLAG}: second {after_s:g} comes after second {before_s:g}; put them in order")
        for time_s, rate in self.points:
            if not (math.isfinite(rate) and rate >= 0 and time_s <= _MAX_DURATION_S):
                raise UsageError(f"{_FLAG}: {time_s:g}:{rate:g} is not a time and a finite rate of 0 or more")
        if self.expected <= 0:
            raise UsageError(f"{_FLAG}: the rate is always 0; give a rate above 0")

    @property
    def end_s(self) -> float:
        """Time of the last point, in seconds from time zero."""
        return self.points[-1][0]

    @property
    def expected(self) -> float:
        """Expected number of arrivals."""
        return float(self._areas()[-1])

    @property
    def mean_rate(self) -> float:
        """Mean rate in requests per second."""
        return self.expected / self.end_s

    def reached_s(self, areas: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the seconds at which L reaches each of `areas` (ascending, from 0 to below `expected`).

        Within a segment L = L0 + r u + k u^2 / 2, solved as u = 2 y / (r + sqrt(r^2 + 2 k y)), without cancellation.
        """
        knots = self._areas()
        times, rates = np.array(self.points).T
        segment = np.searchsorted(knots, areas, side="right") - 1
        segment = np.clip(segment, 0, len(times) - 2)
        rest, rate, length = areas - knots[segment], rates[segment], np.diff(times)[segment]
        slope = np.divide(np.diff(rates)[segment], length, out=np.zeros_like(rest), where=length > 0)
        root = rate + np.sqrt(np.maximum(rate**2 + 2 * slope * rest, 0))
        within = np.divide(2 * rest, root, out=np.zeros_like(rest), where=root > 0)
        reached: NDArray[np.float64] = times[segment] + np.minimum(within, length)
        return reached

    def _areas(self) -> NDArray[np.float64]:
        """L at each point, by the trapezoidal rule."""
        times, rates = np.array(self.points).T
        return np.concatenate([[0.0], np.cumsum(np.diff(times) * (rates[1:] + rates[:-1]) / 2)])


def read_series(text: str) -> RateSeries:
    """Parse `0:1,60:5`, or read a file with one point per line; UsageError or InputError if that fails."""
    if ":" not in text or os.path.isfile(text):  # noqa: PTH113  Path.is_file raises where this says False
        return _read_file(Path(text))
    return RateSeries(tuple(_point(part, f"{_FLAG} {part!r}") for part in text.split(",")))


def _read_file(path: Path) -> RateSeries:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise InputError(path, None, "is not UTF-8 text; give one SECOND:RATE per line") from None
    except OSError as error:
        raise UsageError(
            f"{_FLAG} {path}: {error.strerror}; give points such as 0:1,60:5, or a file with one per line"
        ) from None
    points = []
    for number, line in enumerate(lines, 1):
        if text := line.partition("#")[0].strip():
            points.append(_point(text, f"{path}:{number}: {text!r}"))
    return RateSeries(tuple(points))


def _point(text: str, source: str) -> tuple[float, float]:
    time_s, _, rate = text.partition(":")
    try:
        point = float(time_s), float(rate)
    except ValueError:
        raise UsageError(f"{source} is not SECOND:RATE, such as 60:5") from None
    if not all(map(math.isfinite, point)):
        raise UsageError(f"{source} is not SECOND:RATE, such as 60:5")
    return point
