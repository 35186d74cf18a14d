"""Every figure over time, for a run whose rate changes: one row a stretch of the series."""

import math
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.statistics import order_statistics
from collector.statistics.order_statistics import seconds
from collector.summary import slo
from collector.summary.result import Stretch
from collector.summary.run_info import RunInfo
from collector.summary.times import Times

Seconds = NDArray[np.float64]
MOST: Final = 24  # stretches
_REQUESTS: Final = 20  # that a stretch has about, at least
_NS: Final = 1e9


def over_time(times: Times, info: RunInfo) -> list[Stretch]:
    """Cut the time of the rate series into equal stretches; empty for a run whose rate does not change.

    A request belongs to where it was due, a success of `throughput` to where it ended.
    """
    if not info.rate_series:
        return []
    bins = int(np.clip(info.planned // _REQUESTS, 1, MOST))
    edges = np.linspace(0, info.rate_series[-1][0], bins + 1)
    counts = _Counts.of(times, info)
    return [_row(*pair, counts, times, info) for pair in pairwise(edges.tolist())]


def asked_rate(series: tuple[tuple[float, float], ...], from_s: float, to_s: float) -> float:
    """Mean rate of a series between two times, in requests/s: the area under its lines, by the length."""
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
    """What is counted in a stretch, in seconds from time zero, ascending; `due` and what goes with it by request.

    `due` float64[n] of those that were sent, `aimed` of those that have a target, whether `met` or not bool[n].
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

    def most_in_flight(self, from_s: float, to_s: float) -> int:
        """Most in flight at one instant: at the start of a stretch, or where one of its requests was sent."""
        first, last = np.searchsorted(self.begun, [from_s, to_s])
        at = np.concatenate([[from_s], self.begun[first:last]])
        gone = np.searchsorted(self.ended, at, side="right")
        return int((np.searchsorted(self.begun, at, side="right") - gone).max())


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
        in_flight=counts.most_in_flight(from_s, to_s),
        latency=order_statistics.spread(seconds(here.latency_ns(info.latency_from)[ok]), endless, info.confidence),
        service_p50=order_statistics.percentile(seconds(here.service_ns[ok]), 0.5, endless),
        wait_p99=order_statistics.percentile(seconds(here.wait_ns), 0.99),
        lag_p99=order_statistics.percentile(seconds(here.lag_ns), 0.99),
        attainment=float(met.mean()) if len(met) else None,
    )


def _ends(from_s: float, to_s: float, info: RunInfo) -> list[float]:
    """Both ends of a stretch; the last one takes what was due at its very end, or by rounding a little after."""
    return [from_s, math.inf if to_s >= info.rate_series[-1][0] else to_s]


def _between(at_s: Seconds, from_s: float, to_s: float) -> int:
    first, last = np.searchsorted(at_s, [from_s, to_s])
    return int(last - first)
