"""The requests of a saved run as series to resample, with the autocorrelation of each series."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.comparison.figures import SHARES, Estimate
from collector.records.record import Outcome
from collector.saved.run_folder import SavedRun
from collector.statistics.autocorrelation import Correlation, correlation
from collector.statistics.intervals import min_n, share_interval
from collector.statistics.percentiles import NS_PER_S, seconds
from collector.summary import slo
from collector.summary import times as clock
from collector.summary.times import ENDLESS

MIN_TAU: Final = 20  # a shorter series, in units of tau, gives no interval
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SampleSeries:
    """One entry for each of n sent requests, except in `met`.

    `index`, `latency` and `failed` are in schedule order. `latency` maps "response" and "service" to seconds, inf if
    the request never ended, nan for an error. `gap_s` and `ended_ok` are in order of completion: seconds since the
    previous completion (for the first: since time zero), and whether the request succeeded. `met` has an entry for each
    request that counts for the SLO. `correlations` are those of each series.
    """

    index: NDArray[np.int64]
    latency: dict[str, Floats]
    failed: Floats
    met: Floats
    gap_s: Floats
    ended_ok: Floats
    correlations: dict[str, Correlation]

    def width_factor(self, name: str) -> float:
        """The factor by which an interval is widened, since the tau of its series is uncertain.

        It is one standard error of the width: that of tau is sqrt(20 tau / n) tau (Sokal, equation 3.22, for a window
        of 5 tau), and the width is proportional to the root of tau.
        """
        series = self.correlations[name]
        return 1.0 if series.tau == 1 else 1 + math.sqrt(5 * series.tau / series.n)

    def needed(self, kind: str, p: str, confidence: float) -> int:
        """The n that an interval of a percentile takes; 0 if there are enough."""
        n = int(np.count_nonzero(~np.isnan(self.latency[kind])))
        return _needed(n, self.correlations[kind], min_n(SHARES[p], confidence))

    def needed_completions(self) -> int:
        """The n that an interval of the throughput takes; 0 if there are enough."""
        return _needed(len(self.gap_s), self.correlations["gap"], MIN_TAU)

    def share(self, name: str, confidence: float) -> Estimate:
        """Share of requests that "met" their target, or "failed", with its Clopper-Pearson interval."""
        values, found = self.met if name == "met" else self.failed, self.correlations[name]
        if not len(values):
            return Estimate(math.nan, None, "no request has a target")
        if n := _needed(found.n, found, 1):
            return Estimate(float(values.mean()), None, needs(n))
        each = found.tau * self.width_factor(name) ** 2  # the width of an interval is proportional to the root of this
        return Estimate(float(values.mean()), share_interval(values.sum() / each, found.n / each, confidence))


def sample_series(saved: SavedRun) -> SampleSeries:
    """Build the series from the requests that were sent, at least one."""
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
    correlations = {name: correlation(values) for name, values in series.items()}
    return SampleSeries(times.index, latency, failed, judged, gap_s, ended_ok, correlations)


def needs(n: int) -> str:
    """The reason for a missing interval: n is too small."""
    return f"needs n >= {n:,}"


def _needed(n: int, found: Correlation, minimum: int) -> int:
    """The n that `minimum` effective observations take; 0 if n is enough."""
    needed = math.ceil((minimum if found.tau == 1 else max(minimum, MIN_TAU)) * found.tau)
    return needed if n < needed else 0
