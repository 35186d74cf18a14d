"""Every figure over time, for a run whose rate changes: one row a stretch of the series."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector import slo, stats
from collector.facts import Facts
from collector.result import Stretch
from collector.stats import seconds
from collector.times import ENDLESS, Times

MOST: Final = 24  # stretches
_REQUESTS: Final = 20  # that a stretch has about, at least
_NS: Final = 1e9


def over_time(times: Times, facts: Facts) -> list[Stretch]:
    """Cut the time of the rate series into equal stretches; empty for a run whose rate does not change.

    A request belongs to where it was due, a success of `throughput` to where it ended.
    """
    if not facts.rate_series:
        return []
    bins = int(np.clip(facts.planned // _REQUESTS, 1, MOST))
    edges = np.linspace(0, facts.rate_series[-1][0], bins + 1)
    due_s = (times.scheduled_ns - facts.started_ns) / _NS
    stretch = np.clip(np.searchsorted(edges, due_s, side="right") - 1, 0, bins - 1)
    return [_row(k, edges, stretch == k, times, facts) for k in range(bins)]


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


def _row(k: int, edges: NDArray[np.float64], here: NDArray[np.bool_], times: Times, facts: Facts) -> Stretch:
    from_s, to_s = float(edges[k]), float(edges[k + 1])
    ok, length_s = times.ok & here, to_s - from_s
    endless = int(np.isin(times.outcome[here], ENDLESS).sum())
    latency_s = seconds(times.latency_ns(facts.latency_from)[ok])
    begun, ended = ((ns - facts.started_ns) / _NS for ns in (times.sent_ns, times.done_ns))
    return Stretch(
        from_s=from_s,
        to_s=to_s,
        asked_rate=asked_rate(facts.rate_series, from_s, to_s),
        achieved_rate=_between(begun, from_s, to_s) / length_s,
        throughput=_between(ended[times.ok], from_s, to_s) / length_s,
        requests=int(here.sum()),
        failed=int(here.sum() - ok.sum()),
        in_flight=_most(begun, ended, from_s, to_s),
        latency=stats.spread(latency_s, endless, facts.confidence),
        service_p50=stats.percentile(seconds(times.service_ns[ok]), 0.5, endless),
        wait_p99=stats.percentile(seconds(times.wait_ns[here]), 0.99),
        lag_p99=stats.percentile(seconds(times.lag_ns[here]), 0.99),
        attainment=_attained(from_s, to_s, facts, times),
    )


def _between(at_s: NDArray[np.float64], from_s: float, to_s: float) -> int:
    return int(np.sum((from_s <= at_s) & (at_s < to_s)))


def _most(begun: NDArray[np.float64], ended: NDArray[np.float64], from_s: float, to_s: float) -> int:
    """Most in flight at one instant of a stretch: at its start, or where one of its requests was sent."""
    at = np.sort(np.concatenate([[from_s], begun[(from_s <= begun) & (begun < to_s)]]))
    in_flight = np.searchsorted(np.sort(begun), at, side="right") - np.searchsorted(np.sort(ended), at, side="right")
    return int(in_flight.max())


def _attained(from_s: float, to_s: float, facts: Facts, times: Times) -> float | None:
    """Share of all requests due in a stretch that met their target, sent or not; None where none has one."""
    if not facts.slo_enabled:
        return None
    counted, met = slo.judged(times, facts)
    due_s = (facts.scheduled_ns - facts.started_ns) / _NS
    last = to_s >= facts.rate_series[-1][0]
    counted &= (from_s <= due_s) & ((due_s < to_s) | last)
    return float(met[counted].mean()) if counted.any() else None
