"""What the collector knows of a run besides its records."""

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

    All `_ns` are CLOCK_MONOTONIC nanoseconds of one host. `marked_ns` is what the senders wrote to shared memory when
    they sent (0: never), so it survives a sender's death; `counted_sent` is the sum of their own counters, kept apart
    so that the books can be checked. `slo_ms` is nan where a request has no target. `shapes` is int32[n, 4]: width,
    height, frames, steps of each request, 0 where the server decides; empty where nobody said.
    """

    scheduled_ns: NDArray[np.int64]
    slo_ms: NDArray[np.float64]
    marked_ns: NDArray[np.int64]
    counted_sent: int
    started_ns: int
    max_concurrency: int
    asked_rate: float  # requests/s; inf is a closed loop
    latency_from: str  # "scheduled" or "sent"
    slo_enabled: bool
    slo_scale: float
    stopped_ns: int | None  # when the run was interrupted
    ended_ns: int  # when the collector closed the books
    died: tuple[str, ...]  # names of our processes that died
    drained_ns: int | None = None  # when --drain ran out on requests that had no answer yet
    confidence: float = 0.95  # of every interval
    arrival: str = ""  # the arrival process: constant, poisson, gamma or trace
    burstiness: float = 1.0  # gamma's shape
    rate_series: tuple[tuple[float, float], ...] = ()  # points (s, 1/s) of a rate that changes along straight lines
    urls: tuple[str, ...] = ()  # base URLs, which requests went round
    busiest_sender: float | None = None  # share of a core, waiting awake left out; None where nobody said
    shapes: NDArray[np.int32] = field(default_factory=lambda: np.zeros((0, 4), np.int32))
    stalls: Stalls = field(default_factory=lambda: np.empty(0, STALL))  # what the sampler saw of the machine

    @property
    def planned(self) -> int:
        """Number of requests in the plan."""
        return len(self.scheduled_ns)

    @property
    def closed_loop(self) -> bool:
        """Whether requests are sent as soon as the budget lets them, so that lateness has no meaning."""
        return math.isinf(self.asked_rate)

    @property
    def interrupted(self) -> bool:
        """Whether somebody stopped the run before its plan was through."""
        return self.stopped_ns is not None and not self.died


@dataclass(frozen=True, slots=True)
class RunNotes:
    """What does not fit into fixed-size records: seconds per server stage, a text per error name, Retry-After."""

    stage_durations: dict[str, MutableSequence[float]] = field(default_factory=dict)  # 8 bytes each
    error_examples: dict[str, str] = field(default_factory=dict)
    patience: RetryAfterCounts = field(default_factory=RetryAfterCounts)

    def take(self, note: Mapping[str, Any]) -> None:
        """Add one note as it comes from a sender or a saved run."""
        for stage, duration_s in note.get("stages", {}).items():
            self.stage_durations.setdefault(stage, array("d")).append(duration_s)
        if "error" in note:
            self.error_examples.setdefault(note["error"], note["example"])
        if "retry_after" in note:
            self.patience.take(note["retry_after"])


def read_terms(terms: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that were decided before the start, as JSON carries them: infinity is text there, a tuple a list."""
    series = tuple((float(at_s), float(rate)) for at_s, rate in terms["rate_series"])
    lists = {"rate_series": series, "urls": tuple(map(str, terms["urls"]))}
    return {**terms, "asked_rate": float(terms["asked_rate"]), **lists}
