"""The times of each request for the plots, in seconds from time zero."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.records.stalls import Stalls
from collector.statistics.percentiles import NS_PER_S, seconds
from collector.summary import times as clock
from collector.summary.run_info import RunInfo
from collector.summary.slo import NS_PER_MS
from collector.summary.times import Times

Seconds = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Series:
    """A run in arrays, in schedule order: `planned_s` has an entry per planned request, the others one per sent one.

    `missed` marks requests that succeeded later than their target, `endless` counts those that did not complete;
    stalls have an entry per stall of the machine.
    """

    planned_s: Seconds
    scheduled_s: Seconds
    sent_s: Seconds
    done_s: Seconds
    wait_s: Seconds
    lag_s: Seconds
    service_s: Seconds
    response_s: Seconds
    ok: Flags
    missed: Flags
    endless: int
    stall_at_s: Seconds
    stall_late_s: Seconds
    asked_rate: float
    max_concurrency: int
    latency_from: str
    confidence: float

    @classmethod
    def of_run(cls, records: NDArray[np.void], info: RunInfo, stalls: Stalls) -> "Series":
        """Build the series from records (dtype `record.RECORD`, in any order) and the run info.

        `stalls` has the dtype `stalls.STALL`.
        """
        times = clock.of_run(clock.first_records(records, info.planned), info)
        return cls(
            planned_s=seconds(info.scheduled_ns - info.started_ns),
            scheduled_s=seconds(times.scheduled_ns - info.started_ns),
            sent_s=seconds(times.sent_ns - info.started_ns),
            done_s=seconds(times.done_ns - info.started_ns),
            wait_s=seconds(times.wait_ns),
            lag_s=seconds(times.lag_ns),
            service_s=seconds(times.service_ns),
            response_s=seconds(times.response_ns),
            ok=times.ok,
            missed=_missed(times, info),
            endless=times.endless,
            stall_at_s=(stalls["at_ns"] - info.started_ns) / NS_PER_S,
            stall_late_s=stalls["late_ns"] / NS_PER_S,
            asked_rate=info.asked_rate,
            max_concurrency=info.max_concurrency,
            latency_from=info.latency_from,
            confidence=info.confidence,
        )

    @property
    def sent(self) -> int:
        """Number of requests sent."""
        return len(self.sent_s)

    @property
    def failed(self) -> int:
        """Number of sent requests that did not succeed."""
        return int(self.sent - self.ok.sum())

    @property
    def closed_loop(self) -> bool:
        """Whether the run has no planned times."""
        return math.isinf(self.asked_rate)

    @property
    def end_s(self) -> float:
        """End of the time axis: the last event, at least 1 ms."""
        return max(float(self.done_s.max(initial=0)), float(self.planned_s.max(initial=0)), 1e-3)

    @property
    def latency_s(self) -> Seconds:
        """The time that the SLO refers to: response or service."""
        return self.response_s if self.latency_from == "scheduled" else self.service_s

    @property
    def begun_s(self) -> Seconds:
        """The start of that latency."""
        return self.scheduled_s if self.latency_from == "scheduled" else self.sent_s


def _missed(times: Times, info: RunInfo) -> Flags:
    if not info.slo_enabled:
        return np.zeros(len(times.index), np.bool_)
    target_ns = info.slo_ms[times.index] * NS_PER_MS
    late: Flags = times.ok & (times.latency_ns(info.latency_from) > target_ns)  # nan, no target: False
    return late
