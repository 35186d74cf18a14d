"""The requests of a saved run as series that can be resampled, and what each of them is worth."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.comparison.figures import SHARES, Estimate
from collector.records.record import Outcome
from collector.saved.run_folder import SavedRun
from collector.statistics.autocorrelation import Correlation, correlation
from collector.statistics.intervals import least_n, share_interval
from collector.statistics.order_statistics import NS_PER_S, seconds
from collector.summary import slo
from collector.summary import times as clock
from collector.summary.times import ENDLESS

LEAST: Final = 20  # tau; of a series that is shorter nothing can be said
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SampleSeries:
    """One entry for each of n sent requests, except in `met`.

    `index`, `latency` and `failed` are in schedule order. `latency` maps "response" and "service" to seconds, inf where
    it never ended, nan where it is no observation (an error). `gap_s` and `ended_ok` are in order of completion:
    seconds since the completion before (since time zero for the first), and whether it succeeded. `met` has an entry
    for each request that counts for the SLO. `memory` is that of each series.
    """

    index: NDArray[np.int64]
    latency: dict[str, Floats]
    failed: Floats
    met: Floats
    gap_s: Floats
    ended_ok: Floats
    memory: dict[str, Correlation]

    def wider(self, name: str) -> float:
        """How many times as wide an interval is made, since the tau of its series is uncertain.

        That is by one standard error of the width: tau's own is sqrt(20 tau / n) of it (Sokal, equation 3.22, for a
        window of 5 tau), and a width goes with the root of tau.
        """
        found = self.memory[name]
        return 1.0 if found.tau == 1 else 1 + math.sqrt(5 * found.tau / found.n)

    def lacks(self, kind: str, p: str, confidence: float) -> int:
        """How many requests it takes for a percentile to have an interval; 0 where there are enough."""
        n = int(np.count_nonzero(~np.isnan(self.latency[kind])))
        return _lacks(n, self.memory[kind], least_n(SHARES[p], confidence))

    def lacks_completions(self) -> int:
        """How many requests it takes for the throughput to have an interval; 0 where there are enough."""
        return _lacks(len(self.gap_s), self.memory["gap"], LEAST)

    def share(self, name: str, confidence: float) -> Estimate:
        """Share of what "met" its target, or "failed", with Clopper and Pearson's interval in effective requests."""
        values, found = self.met if name == "met" else self.failed, self.memory[name]
        if not len(values):
            return Estimate(math.nan, None, "no request has a target")
        if lacks := _lacks(found.n, found, 1):
            return Estimate(float(values.mean()), None, needs(lacks))
        each = found.tau * self.wider(name) ** 2  # an interval is as wide as the root of what it counts in
        return Estimate(float(values.mean()), share_interval(values.sum() / each, found.n / each, confidence))


def sample_series(saved: SavedRun) -> SampleSeries:
    """Lay out the requests that were sent; there must be one."""
    info = saved.info
    records = clock.first_records(saved.records, info.planned)
    times = clock.of_run(records, info)
    endless = np.isin(times.outcome, ENDLESS)
    latency = {
        kind: np.where(times.ok, seconds(ns), np.where(endless, np.inf, np.nan))
        for kind, ns in (("response", times.response_ns), ("service", times.service_ns))
    }
    counted, met = slo.judged(times, info)
    judged = met[counted & info.slo_enabled].astype(np.float64)
    failed = (~times.ok).astype(np.float64)
    gap_s, ended_ok = np.zeros(len(times.index)), np.zeros(len(times.index))
    order = np.argsort(records["done_ns"], kind="stable")
    gap_s[: len(order)] = np.diff(records["done_ns"][order], prepend=info.started_ns) / NS_PER_S
    ended_ok[: len(order)] = records["outcome"][order] == Outcome.OK
    series = {kind: values[np.isfinite(values)] for kind, values in latency.items()}
    series |= {"failed": failed, "met": judged, "gap": gap_s}
    memory = {name: correlation(values) for name, values in series.items()}
    return SampleSeries(times.index, latency, failed, judged, gap_s, ended_ok, memory)


def needs(n: int) -> str:
    """Say how many requests it takes."""
    return f"needs n >= {n:,}"


def _lacks(n: int, found: Correlation, least: int) -> int:
    """What n should be, `least` counted in tau; 0 where it is so."""
    needed = math.ceil((least if found.tau == 1 else max(least, LEAST)) * found.tau)
    return needed if n < needed else 0
