"""The moving-block bootstrap: intervals of a figure of a correlated series.

A resample consists of blocks of consecutive requests, drawn with replacement, so the correlation within a block is
kept (Kuensch, Annals of Statistics 17, 1989; circular: Politis and Romano, 1992). The block length minimises the mean
squared error of the variance for an exponentially decaying autocorrelation,
(3/8 tau^2 n)^(1/3) (Politis and White, Econometric Reviews 23, 2004, with tau as in autocorrelation.py).

To be fast for a million requests, blocks begin at one of at most 2,048 positions, and the percentiles of all resamples
are counted, exactly, from one sorted series.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

ROUNDS = 1_999  # resamples: at 95 % the ends are the 50th from either side
POSITIONS = 2_048  # at which a block may begin
_CELLS = 512  # at most, of the sorted series, to locate a percentile coarsely first

Floats = NDArray[np.float64]


def block_length(n: int, tau: float) -> int:
    """The number of consecutive requests in a block, for a series of n with integrated autocorrelation time `tau`."""
    return min(max(math.ceil(math.cbrt(3 / 8 * tau * tau * n)), 1), n)


@dataclass(frozen=True, slots=True)
class Resamples:
    """Resamples of a series of `n`; `counts` float64[rounds, positions]: how often each part is in each resample."""

    n: int
    counts: Floats

    @classmethod
    def draw(cls, n: int, block: int, random: np.random.Generator, rounds: int = ROUNDS) -> "Resamples":
        """Draw resamples of a series of n >= 1 requests from circular blocks of `block` requests."""
        positions = min(n, POSITIONS)
        length = min(math.ceil(block * positions / n), positions)
        first = random.integers(0, positions, (rounds, math.ceil(positions / length)))
        chosen = (first[:, :, None] + np.arange(length)).reshape(rounds, -1)[:, :positions] % positions
        flat = (chosen + positions * np.arange(rounds)[:, None]).ravel()
        return cls(n, np.bincount(flat, minlength=rounds * positions).reshape(rounds, positions).astype(np.float64))

    def totals(self, values: Floats) -> Floats:
        """Sum of `values` float64[n] in each resample: float64[rounds]."""
        return self.counts @ np.bincount(self._position(np.arange(self.n)), values, self.counts.shape[1])

    def percentiles(self, values: Floats, shares: Sequence[float]) -> Floats:
        """Percentiles of each resample, float64[len(shares), rounds]; rank ceil(p n), as in percentiles.py.

        `values` float64[n] in schedule order: inf ranks last, nan is no observation.
        """
        order = np.argsort(values)[: np.count_nonzero(~np.isnan(values))]  # nan sorts last
        if not len(order):
            return np.full((len(shares), len(self.counts)), np.nan)
        ordered, place = values[order], self._position(order)
        cells = min(math.isqrt(len(order)) + 1, _CELLS)
        step = math.ceil(len(order) / cells)
        cell = np.arange(len(order)) // step
        in_cell = np.zeros((self.counts.shape[1], cells))
        np.add.at(in_cell, (place, cell), 1)
        below = np.cumsum(self.counts @ in_cell, axis=1)
        return np.stack([self._pick(ordered, place, below, step, Fraction(str(p))) for p in shares])

    def _pick(self, ordered: Floats, place: NDArray[np.intp], below: Floats, step: int, p: Fraction) -> Floats:
        """Find the cell of `step` sorted values that holds the rank, then the rank within it, for every resample."""
        rank = -(-below[:, -1].astype(np.int64) * p.numerator // p.denominator)
        cell = np.minimum((below < rank[:, None]).sum(axis=1), below.shape[1] - 1)
        before = np.where(cell > 0, np.take_along_axis(below, np.maximum(cell - 1, 0)[:, None], axis=1)[:, 0], 0)
        inside = np.minimum(cell[:, None] * step + np.arange(step), len(ordered) - 1)
        counted = np.cumsum(np.take_along_axis(self.counts, place[inside], axis=1), axis=1)
        offset = (counted < (rank - before)[:, None]).sum(axis=1)
        picked = ordered[np.minimum(cell * step + offset, len(ordered) - 1)]
        return np.where(rank > 0, picked, np.nan)

    def _position(self, index: NDArray[np.intp]) -> NDArray[np.intp]:
        """The part of the series that each request belongs to."""
        place: NDArray[np.intp] = index * self.counts.shape[1] // self.n
        return place


def percentile_interval(resampled: Floats, confidence: float) -> tuple[float, float]:
    """The percentile interval of a figure from its resamples; an undefined value (nan) counts against both ends."""
    tail = (1 - confidence) / 2
    first = max(math.floor(tail * (len(resampled) + 1) + 1e-9), 1)
    unknown = np.isnan(resampled)
    lower = np.sort(np.where(unknown, -np.inf, resampled))[first - 1]
    upper = np.sort(np.where(unknown, np.inf, resampled))[-first]
    return float(lower), float(upper)
