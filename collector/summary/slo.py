"""Service-level objectives: the linear model that derives a target from warm-ups, and how many requests met theirs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from collector.statistics.autocorrelation import Correlation, correlation
from collector.statistics.intervals import share_interval
from collector.statistics.order_statistics import percentile
from collector.summary.run_info import RunInfo
from collector.summary.times import Times

PIXELS_PER_UNIT = 256
NS_PER_MS = 1e6


@dataclass(frozen=True, slots=True)
class Attainment:
    """How many of the planned requests that have a target there were, and how many met it."""

    requests: int
    met: int
    found: Correlation

    @classmethod
    def of(cls, met: NDArray[np.bool_]) -> "Attainment":
        """Count what was met of the requests that count, in schedule order."""
        return cls(requests=len(met), met=int(met.sum()), found=correlation(met.astype(np.float64)))

    def interval(self, confidence: float) -> tuple[float, float] | None:
        """Clopper and Pearson's interval of the rate, in effective observations; None where there are too few."""
        if not self.requests or not self.found.enough:
            return None
        return share_interval(self.met / self.found.tau, self.requests / self.found.tau, confidence)

    @property
    def rate(self) -> float | None:
        """Share of requests that met their target; None where none has one."""
        return self.met / self.requests if self.requests else None

    def upper(self, undecided: int) -> float | None:
        """The rate if so many more had met their target."""
        return (self.met + undecided) / self.requests if self.requests else None


def units(width: ArrayLike, height: ArrayLike, frames: ArrayLike, steps: ArrayLike) -> NDArray[np.float64]:
    """Give the work in the linear model of WIRE.md: max(w h / 256, 1) max(frames, 1) max(steps, 1), element by element.

    What is unknown (nan or 0) counts as 1, so a request of unknown size is the smallest there is.
    """
    pixels = np.asarray(width, dtype=np.float64) * np.asarray(height, dtype=np.float64)
    return _at_least_one(pixels / PIXELS_PER_UNIT) * _at_least_one(frames) * _at_least_one(steps)


def linear_unit_ms(latency_ms: ArrayLike, units: ArrayLike) -> float | None:
    """Take the median of milliseconds per unit over the successful warm-ups; None where there are none.

    Latencies and units are those of the same warm-ups, in the same order.
    """
    return percentile(np.asarray(latency_ms, dtype=np.float64) / np.asarray(units, dtype=np.float64), 0.5)


def linear_slo_ms(own_ms: ArrayLike, units: ArrayLike, unit_ms: float, scale: float) -> NDArray[np.float64]:
    """Give the target of each request in ms: its own where it has one (not nan), else unit_ms * units * scale."""
    own = np.asarray(own_ms, dtype=np.float64)
    return np.where(np.isnan(own), unit_ms * np.asarray(units, dtype=np.float64) * scale, own)


def attainment(times: Times, info: RunInfo) -> Attainment:
    """Count met against planned requests that have a target, in schedule order; see `judged`."""
    counted, met = judged(times, info)
    return Attainment.of(met[counted])


def judged(times: Times, info: RunInfo) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell of each planned request whether it counts, having a target, and whether it met it: both bool[n].

    Met is OK with a latency of at most the target. What failed, never ended or was never sent is not met. Of an
    interrupted run only what was `due` counts.
    """
    target_ns = info.slo_ms * NS_PER_MS
    met = np.zeros(info.planned, np.bool_)
    met[times.index] = times.ok & (times.latency_ns(info.latency_from) <= target_ns[times.index])  # nan: False
    return due(times, info) & ~np.isnan(target_ns), met


def undecided(times: Times, info: RunInfo) -> int:
    """Count the successful jobs whose target lies inside what is known of their completion: they are not `met`."""
    latency_ns = times.latency_ns(info.latency_from)
    target_ns = info.slo_ms[times.index] * NS_PER_MS
    return int(np.sum(times.ok & (latency_ns - times.width_ns <= target_ns) & (target_ns < latency_ns)))


def due(times: Times, info: RunInfo) -> NDArray[np.bool_]:
    """Tell which planned requests had to be sent: all, or those due before the stop of an interrupted run.

    In a closed loop a request is due when its permit comes free, so there it is those that were sent.
    """
    wanted = np.zeros(info.planned, dtype=np.bool_)
    wanted[times.index] = True
    if not info.interrupted:
        wanted[:] = True
    elif not info.closed_loop and info.stopped_ns is not None:
        wanted |= info.scheduled_ns <= info.stopped_ns
    return wanted


def _at_least_one(values: ArrayLike) -> NDArray[np.float64]:
    return np.fmax(np.asarray(values, dtype=np.float64), 1.0)  # fmax, unlike maximum, passes over nan
