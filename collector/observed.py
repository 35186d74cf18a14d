"""The requests of a saved run as series that can be resampled."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector import times as clock
from collector.autocorrelation import Correlation, correlation
from collector.figure import SHARES, Estimate
from collector.intervals import Ends, least_n, share_interval
from collector.record import Outcome
from collector.saved import SavedRun
from collector.stats import NS_PER_S, seconds
from collector.times import ENDLESS

Floats = NDArray[np.float64]
_LEAST_GAPS = 20  # completions from which on a mean gap is worth an interval


@dataclass(frozen=True, slots=True)
class Observed:
    """One entry for each of n sent requests.

    `index`, `latency` and `failed` are in schedule order. `latency` maps "response" and "service" to seconds, inf where
    it never ended, nan where it is no observation (an error). `gap_s` and `ended_ok` are in order of completion:
    seconds since the completion before (since time zero for the first), and whether it succeeded.
    """

    index: NDArray[np.int64]
    latency: dict[str, Floats]
    failed: Floats
    gap_s: Floats
    ended_ok: Floats
    memory: dict[str, Correlation]  # of each series

    @property
    def tau(self) -> float:
        """The longest integrated autocorrelation time of them."""
        return max(found.tau for found in self.memory.values())

    def lacks(self, kind: str, p: str, confidence: float) -> str | None:
        """Why a percentile cannot be given an interval; None where it can."""
        found, n = self.memory[kind], int(np.count_nonzero(~np.isnan(self.latency[kind])))
        needed = int(np.ceil(least_n(SHARES[p], confidence) * found.tau))
        needed = needed if found.tau == 1 else max(needed, found.needed)
        return f"needs n >= {needed:,}" if n < needed else None

    def lacks_completions(self) -> str | None:
        """Why the throughput cannot be given an interval; None where it can."""
        found = self.memory["gap"]
        needed = max(_LEAST_GAPS, 0 if found.tau == 1 else found.needed)
        return f"needs n >= {needed:,}" if found.n < needed else None

    def error_share(self, confidence: float) -> Estimate:
        """Share of the sent requests that did not succeed."""
        found, failed = self.memory["failed"], float(self.failed.sum())
        ends: Ends | None = None
        if found.enough:
            ends = share_interval(failed / found.tau, found.n / found.tau, confidence)
        return Estimate(failed / found.n, ends, None if ends else f"needs n >= {found.needed:,}")


def observe(saved: SavedRun) -> Observed:
    """Lay out the requests that were sent; there must be one."""
    facts = saved.facts
    records = clock.first_records(saved.records, facts.planned)
    times = clock.of_run(records, facts)
    endless = np.isin(times.outcome, ENDLESS)
    latency = {
        kind: np.where(times.ok, seconds(ns), np.where(endless, np.inf, np.nan))
        for kind, ns in (("response", times.response_ns), ("service", times.service_ns))
    }
    failed = (~times.ok).astype(np.float64)
    gap_s, ended_ok = np.zeros(len(times.index)), np.zeros(len(times.index))
    order = np.argsort(records["done_ns"], kind="stable")
    gap_s[: len(order)] = np.diff(records["done_ns"][order], prepend=facts.started_ns) / NS_PER_S
    ended_ok[: len(order)] = records["outcome"][order] == Outcome.OK
    series = {kind: values[np.isfinite(values)] for kind, values in latency.items()}
    memory = {name: correlation(values) for name, values in {**series, "failed": failed, "gap": gap_s}.items()}
    return Observed(times.index, latency, failed, gap_s, ended_ok, memory)
