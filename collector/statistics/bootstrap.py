"""The moving-block bootstrap: how far a figure of a series that remembers may be off by chance.

A resample is a run made of blocks of consecutive requests, drawn with replacement, so what neighbours have in common
stays inside a block (Kuensch, Annals of Statistics 17, 1989; circular: Politis and Romano, 1992). The block length is
the one that minimises the mean squared error of the variance for an exponentially fading memory,
(3/8 tau^2 n)^(1/3) (Politis and White, Econometric Reviews 23, 2004, with tau as in autocorrelation.py).

To be quick for a million requests, blocks begin at one of at most 2,048 places, and percentiles of all resamples are
counted from one sorted series, exactly.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

ROUNDS = 1_999  # resamples: with 0.95, the ends are the 50th from either side
PLACES = 2_048  # where a block may begin
_CELLS = 512  # of the sorted series, at most, for a first look where a percentile is

Floats = NDArray[np.float64]


def block_length(n: int, tau: float) -> int:
    """How many consecutive requests make a block, for a series of n with this integrated autocorrelation time."""
    return min(max(math.ceil(math.cbrt(3 / 8 * tau * tau * n)), 1), n)


@dataclass(frozen=True, slots=True)
class Resamples:
    """`counts` float64[ROUNDS, places]: how often each part of a series of `n` is in each resample."""

    n: int
    counts: Floats

    @classmethod
    def draw(cls, n: int, block: int, random: np.random.Generator, rounds: int = ROUNDS) -> "Resamples":
        """Draw resamples of a series of n >= 1 requests from circular blocks of `block` requests."""
        places = min(n, PLACES)
        length = min(math.ceil(block * places / n), places)
        first = random.integers(0, places, (rounds, math.ceil(places / length)))
        chosen = (first[:, :, None] + np.arange(length)).reshape(rounds, -1)[:, :places] % places
        flat = (chosen + places * np.arange(rounds)[:, None]).ravel()
        return cls(n, np.bincount(flat, minlength=rounds * places).reshape(rounds, places).astype(np.float64))

    def totals(self, values: Floats) -> Floats:
        """Sum of `values` float64[n] in each resample."""
        return self.counts @ np.bincount(self._place(np.arange(self.n)), values, self.counts.shape[1])

    def percentiles(self, values: Floats, shares: Sequence[float]) -> Floats:
        """Percentiles of each resample, float64[len(shares), rounds]; rank ceil(p n), as in order_statistics.py.

        `values` float64[n] in schedule order: inf ranks last, nan is no observation. A resample without any is nan.
        """
        order = np.argsort(values)[: np.count_nonzero(~np.isnan(values))]  # nan sorts last
        if not len(order):
            return np.full((len(shares), len(self.counts)), np.nan)
        ordered, place = values[order], self._place(order)
        cells = min(math.isqrt(len(order)) + 1, _CELLS)
        step = math.ceil(len(order) / cells)
        cell = np.arange(len(order)) // step
        in_cell = np.zeros((self.counts.shape[1], cells))
        np.add.at(in_cell, (place, cell), 1)
        below = np.cumsum(self.counts @ in_cell, axis=1)
        return np.stack([self._pick(ordered, place, below, step, Fraction(str(p))) for p in shares])

    def _pick(self, ordered: Floats, place: NDArray[np.intp], below: Floats, step: int, p: Fraction) -> Floats:
        """Find the wanted rank's cell of `step` sorted values, then the rank within it, for every resample."""
        rank = -(-below[:, -1].astype(np.int64) * p.numerator // p.denominator)
        cell = np.minimum((below < rank[:, None]).sum(axis=1), below.shape[1] - 1)
        before = np.where(cell > 0, np.take_along_axis(below, np.maximum(cell - 1, 0)[:, None], axis=1)[:, 0], 0)
        inside = np.minimum(cell[:, None] * step + np.arange(step), len(ordered) - 1)
        counted = np.cumsum(np.take_along_axis(self.counts, place[inside], axis=1), axis=1)
        found = (counted < (rank - before)[:, None]).sum(axis=1)
        picked = ordered[np.minimum(cell * step + found, len(ordered) - 1)]
        return np.where(rank > 0, picked, np.nan)

    def _place(self, index: NDArray[np.intp]) -> NDArray[np.intp]:
        """The part of the series that each request is in."""
        place: NDArray[np.intp] = index * self.counts.shape[1] // self.n
        return place


def ends(resampled: Floats, confidence: float) -> tuple[float, float]:
    """The percentile interval of a figure's resamples; what is not defined in a resample might be anything."""
    tail = (1 - confidence) / 2
    first = max(math.floor(tail * (len(resampled) + 1) + 1e-9), 1)
    unknown = np.isnan(resampled)
    lower = np.sort(np.where(unknown, -np.inf, resampled))[first - 1]
    upper = np.sort(np.where(unknown, np.inf, resampled))[-first]
    return float(lower), float(upper)
