"""SLO targets: the linear model that derives them from warm-ups, and how many requests met theirs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from collector.statistics.autocorrelation import Correlation, correlation
from collector.statistics.intervals import share_interval
from collector.statistics.percentiles import percentile
from collector.summary.run_info import RunInfo
from collector.summary.times import Times

PIXELS_PER_UNIT = 256
NS_PER_MS = 1e6


@dataclass(frozen=True, slots=True)
class Attainment:
    """How many planned requests have a target, and how many of them met it."""

    requests: int
    met: int
    correlated: Correlation

    @classmethod
    def of(cls, met: NDArray[np.bool_]) -> "Attainment":
        """Count from bool[n], one entry per request that has a target, in schedule order."""
        return cls(requests=len(met), met=int(met.sum()), correlated=correlation(met.astype(np.float64)))

    def interval(self, confidence: float) -> tuple[float, float] | None:
        """Clopper-Pearson interval of the rate for the effective sample size; None if that is too small."""
        if not self.requests or not self.correlated.enough:
            return None
        return share_interval(self.met / self.correlated.tau, self.requests / self.correlated.tau, confidence)

    @property
    def rate(self) -> float | None:
        """Share of requests that met their target; None if none has one."""
        return self.met / self.requests if self.requests else None

    def upper(self, undecided: int) -> float | None:
        """The rate if `undecided` more requests had met their target."""
        return (self.met + undecided) / self.requests if self.requests else None


def units(width: ArrayLike, height: ArrayLike, frames: ArrayLike, steps: ArrayLike) -> NDArray[np.float64]:
    """The work in the linear model: max(w h / 256, 1) max(frames, 1) max(steps, 1), element by element.

    An unknown value (nan or 0) counts as 1, so a request of unknown size is the smallest possible.
    """
    pixels = np.asarray(width, dtype=np.float64) * np.asarray(height, dtype=np.float64)
    return _at_least_one(pixels / PIXELS_PER_UNIT) * _at_least_one(frames) * _at_least_one(steps)


def linear_unit_ms(latency_ms: ArrayLike, units: ArrayLike) -> float | None:
    """The median of milliseconds per unit over the successful warm-ups; None if there are none.

    Both arrays have one entry per warm-up, in the same order.
    """
    return percentile(np.asarray(latency_ms, dtype=np.float64) / np.asarray(units, dtype=np.float64), 0.5)


def linear_slo_ms(own_ms: ArrayLike, units: ArrayLike, unit_ms: float, scale: float) -> NDArray[np.float64]:
    """The target of each request in ms: its own if it has one (not nan), else unit_ms * units * scale."""
    own = np.asarray(own_ms, dtype=np.float64)
    return np.where(np.isnan(own), unit_ms * np.asarray(units, dtype=np.float64) * scale, own)


def attainment(times: Times, info: RunInfo) -> Attainment:
    """Count the requests that met their target, of those that have one; see `judged`."""
    counted, met = judged(times, info)
    return Attainment.of(met[counted])


def judged(times: Times, info: RunInfo) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """For each planned request, whether it counts (it has a target) and whether it met the target: both bool[n].

    Met means OK with a latency of at most the target. Requests that failed, never ended or were never sent are not met.
    In an interrupted run only requests that were `due` count.
    """
    target_ns = info.slo_ms * NS_PER_MS
    met = np.zeros(info.planned, np.bool_)
    met[times.index] = times.ok & (times.latency_ns(info.latency_from) <= target_ns[times.index])  # nan: False
    return due(times, info) & ~np.isnan(target_ns), met


def undecided(times: Times, info: RunInfo) -> int:
    """The number of successful jobs whose target lies inside their completion interval: they count as not met."""
    latency_ns = times.latency_ns(info.latency_from)
    target_ns = info.slo_ms[times.index] * NS_PER_MS
    return int(np.sum(times.ok & (latency_ns - times.width_ns <= target_ns) & (target_ns < latency_ns)))


def due(times: Times, info: RunInfo) -> NDArray[np.bool_]:
    """Which planned requests had to be sent, bool[n]: all, or in an interrupted run those due before the stop.

    In a closed loop a request is due when its permit comes free, so these are the ones that were sent.
    """
    had_to_be_sent = np.zeros(info.planned, dtype=np.bool_)
    had_to_be_sent[times.index] = True
    if not info.interrupted:
        had_to_be_sent[:] = True
    elif not info.closed_loop and info.stopped_ns is not None:
        had_to_be_sent |= info.scheduled_ns <= info.stopped_ns
    return had_to_be_sent


def _at_least_one(values: ArrayLike) -> NDArray[np.float64]:
    return np.fmax(np.asarray(values, dtype=np.float64), 1.0)  # fmax, unlike maximum, ignores nan
