"""What is known of a run besides its records."""

import math
from array import array
from collections.abc import Mapping, MutableSequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collector.records.stalls import STALL, Stalls
from collector.summary.retry_after import RetryAfterCounts


@dataclass(frozen=True, slots=True)
class RunInfo:
    """The plan and what the other processes counted; arrays have one entry per planned request.

    All `_ns` are CLOCK_MONOTONIC nanoseconds of one host. Senders write `send_time_ns` to shared memory when they send
    (0: never), so it survives a sender; `sent_count` is the sum of their counters, kept apart as a check. `slo_ms` is
    nan for a request without a target. `shapes` is int32[n, 4]: width, height, frames, steps of each request, 0 if the
    server decides; empty if unknown.
    """

    scheduled_ns: NDArray[np.int64]
    slo_ms: NDArray[np.float64]
    send_time_ns: NDArray[np.int64]
    sent_count: int
    started_ns: int
    max_concurrency: int
    asked_rate: float  # requests/s; inf is a closed loop
    latency_from: str  # "scheduled" or "sent"
    slo_enabled: bool
    slo_scale: float
    stopped_ns: int | None  # when the run was interrupted
    ended_ns: int  # when the collector computed the figures
    died: tuple[str, ...]  # names of the processes of this tool that died
    drained_ns: int | None = None  # when --drain ended the run with requests unfinished
    confidence: float = 0.95  # of every interval
    arrival: str = ""  # the arrival process: constant, poisson, gamma or trace
    burstiness: float = 1.0  # gamma's shape
    rate_series: tuple[tuple[float, float], ...] = ()  # points (s, 1/s) of a piecewise linear rate
    urls: tuple[str, ...] = ()  # base URLs, used in turn
    busiest_sender: float | None = None  # share of a core, without busy-waiting; None if unknown
    output_format: str = ""  # as requested by --extra-body, such as "webp"
    shapes: NDArray[np.int32] = field(default_factory=lambda: np.zeros((0, 4), np.int32))
    stalls: Stalls = field(default_factory=lambda: np.empty(0, STALL))  # scheduling stalls of the machine

    @property
    def planned(self) -> int:
        """Number of requests in the plan."""
        return len(self.scheduled_ns)

    @property
    def closed_loop(self) -> bool:
        """Whether requests are sent as soon as a permit is free, so that lag and rate have no meaning."""
        return math.isinf(self.asked_rate)

    @property
    def interrupted(self) -> bool:
        """Whether the user stopped the run before its end."""
        return self.stopped_ns is not None and not self.died


@dataclass(frozen=True, slots=True)
class RunNotes:
    """What does not fit into fixed-size records: stage durations, an example per error name, Retry-After."""

    stage_durations: dict[str, MutableSequence[float]] = field(default_factory=dict)  # seconds; 8 bytes each
    error_examples: dict[str, str] = field(default_factory=dict)
    retry_after: RetryAfterCounts = field(default_factory=RetryAfterCounts)

    def take(self, note: Mapping[str, Any]) -> None:
        """Add one note from a sender or a saved run."""
        for stage, duration_s in note.get("stages", {}).items():
            self.stage_durations.setdefault(stage, array("d")).append(duration_s)
        if "error" in note:
            self.error_examples.setdefault(note["error"], note["example"])
        if "retry_after" in note:
            self.retry_after.take(note["retry_after"])


def parse_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Convert run parameters from JSON, where infinity is a string and a tuple a list, to fields of `RunInfo`."""
    series = tuple((float(at_s), float(rate)) for at_s, rate in parameters["rate_series"])
    lists = {"rate_series": series, "urls": tuple(map(str, parameters["urls"]))}
    return {**parameters, "asked_rate": float(parameters["asked_rate"]), **lists}
