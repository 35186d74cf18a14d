"""The figures over time of a run whose rate changes: one row per interval."""

import math
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.statistics import percentiles
from collector.statistics.percentiles import seconds
from collector.summary import slo
from collector.summary.result import Stretch
from collector.summary.run_info import RunInfo
from collector.summary.times import Times

Seconds = NDArray[np.float64]
MAX_INTERVALS: Final = 24
_REQUESTS: Final = 20  # least average number of requests in an interval
_NS: Final = 1e9


def over_time(times: Times, info: RunInfo) -> list[Stretch]:
    """Divide the time of the rate series into equal intervals; empty for a run whose rate does not change.

    A request belongs to the interval in which it was due; `throughput` counts successes where they ended.
    """
    if not info.rate_series:
        return []
    bins = int(np.clip(info.planned // _REQUESTS, 1, MAX_INTERVALS))
    edges = np.linspace(0, info.rate_series[-1][0], bins + 1)
    counts = _Counts.of(times, info)
    return [_row(*pair, counts, times, info) for pair in pairwise(edges.tolist())]


def asked_rate(series: tuple[tuple[float, float], ...], from_s: float, to_s: float) -> float:
    """Mean rate of a series between two times, in requests/s: the integral of the rate divided by the duration."""
    at_s, rate = np.array(series).T
    area = 0.0
    for k in range(len(at_s) - 1):
        low, high = max(from_s, at_s[k]), min(to_s, at_s[k + 1])
        if high > low:
            slope = (rate[k + 1] - rate[k]) / (at_s[k + 1] - at_s[k])
            area += (high - low) * (rate[k] + slope * ((low + high) / 2 - at_s[k]))
    return float(area / (to_s - from_s))


@dataclass(frozen=True, slots=True)
class _Counts:
    """The times to count by, in seconds from time zero, ascending.

    `due` float64[n] is of the sent requests, `aimed` of those that have a target, `met` bool[n] whether they met it.
    """

    due: Seconds
    begun: Seconds
    ended: Seconds
    succeeded: Seconds
    aimed: Seconds
    met: NDArray[np.bool_]

    @classmethod
    def of(cls, times: Times, info: RunInfo) -> "_Counts":
        due, begun, ended, planned = (
            (ns - info.started_ns) / _NS for ns in (times.scheduled_ns, times.sent_ns, times.done_ns, info.scheduled_ns)
        )
        counted, met = slo.judged(times, info) if info.slo_enabled else (np.zeros(info.planned, np.bool_),) * 2
        return cls(due, np.sort(begun), np.sort(ended), np.sort(ended[times.ok]), planned[counted], met[counted])

    def max_in_flight(self, from_s: float, to_s: float) -> int:
        """The most requests in flight: at the start of the interval, or when one of its requests was sent."""
        first, last = np.searchsorted(self.begun, [from_s, to_s])
        at = np.concatenate([[from_s], self.begun[first:last]])
        ended = np.searchsorted(self.ended, at, side="right")
        return int((np.searchsorted(self.begun, at, side="right") - ended).max())


def _row(from_s: float, to_s: float, counts: _Counts, times: Times, info: RunInfo) -> Stretch:
    due = slice(*np.searchsorted(counts.due, _ends(from_s, to_s, info)))
    here = Times(**{field.name: getattr(times, field.name)[due] for field in fields(Times)})
    met = counts.met[slice(*np.searchsorted(counts.aimed, _ends(from_s, to_s, info)))]
    ok, endless, length_s = here.ok, here.endless, to_s - from_s
    return Stretch(
        from_s=from_s,
        to_s=to_s,
        asked_rate=asked_rate(info.rate_series, from_s, to_s),
        achieved_rate=_between(counts.begun, from_s, to_s) / length_s,
        throughput=_between(counts.succeeded, from_s, to_s) / length_s,
        requests=len(ok),
        failed=int((~ok).sum()),
        in_flight=counts.max_in_flight(from_s, to_s),
        latency=percentiles.spread(seconds(here.latency_ns(info.latency_from)[ok]), endless, info.confidence),
        service_p50=percentiles.percentile(seconds(here.service_ns[ok]), 0.5, endless),
        wait_p99=percentiles.percentile(seconds(here.wait_ns), 0.99),
        lag_p99=percentiles.percentile(seconds(here.lag_ns), 0.99),
        attainment=float(met.mean()) if len(met) else None,
    )


def _ends(from_s: float, to_s: float, info: RunInfo) -> list[float]:
    """Both ends of an interval; the last one includes requests due at its end, or by rounding a little later."""
    return [from_s, math.inf if to_s >= info.rate_series[-1][0] else to_s]


def _between(at_s: Seconds, from_s: float, to_s: float) -> int:
    first, last = np.searchsorted(at_s, [from_s, to_s])
    return int(last - first)
