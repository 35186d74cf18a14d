"""Arrival processes: how planned send times are drawn, all of them before time zero.

Every function returns int64 nanoseconds from time zero, ascending, never rescaled: the sum of n random gaps is
random too, and forcing it to n/rate would make a Poisson process something else.
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from loadgen.clock import SECOND_NS
from loadgen.errors import UsageError
from loadgen.options import ArrivalOptions
from loadgen.planning.rate_series import RateSeries

LONGEST_S: Final = 1e9
LARGEST_PLAN: Final = 50_000_000  # some 5 GB in all
Times = NDArray[np.int64]
Draw = Callable[[int], NDArray[np.float64]]  # how many gaps -> gaps in seconds


def plan_arrivals(options: ArrivalOptions, count: int, timestamps_s: Sequence[float] = ()) -> Times:
    """Draw the planned times of `count` requests, or of as many as fit `duration_s` where that is given.

    `timestamps_s` are the rows of a trace; only the trace process reads them.
    """
    if options.process == "trace":
        return _trace(options, count, np.asarray(timestamps_s, float))
    if options.rate_series:
        return _series(options, RateSeries(options.rate_series))
    _check_size(count if options.duration_s is None else options.duration_s * options.rate)
    if not options.planned:
        return np.zeros(count, np.int64)
    if options.process == "constant":
        return _constant(options, count)
    return _renewal(_gaps(options), options, count)


def _constant(options: ArrivalOptions, count: int) -> Times:
    """Request i at i / rate, computed from i: no error adds up."""
    if options.duration_s is not None:
        count = int(np.ceil(options.duration_s * options.rate - 1e-9))
    return _to_ns(np.arange(count) / options.rate)


def _gaps(options: ArrivalOptions) -> Draw:
    random = np.random.default_rng(options.seed)
    if options.process == "poisson":
        return lambda n: random.exponential(1 / options.rate, n)
    # shape k = burstiness and scale 1/(k rate): mean gap 1/rate, squared coefficient of variation 1/k
    return lambda n: random.gamma(options.burstiness, 1 / (options.burstiness * options.rate), n)


def _renewal(draw: Draw, options: ArrivalOptions, count: int) -> Times:
    """Sum independent gaps; the first arrival comes after the first gap."""
    if options.duration_s is None:
        return _to_ns(np.cumsum(draw(count)))
    chunk = int(options.duration_s * options.rate) + 16
    times = np.cumsum(draw(chunk))
    while times[-1] < options.duration_s:
        times = np.concatenate([times, times[-1] + np.cumsum(draw(chunk))])
    return _to_ns(times[times < options.duration_s])


def _series(options: ArrivalOptions, series: RateSeries) -> Times:
    """Arrivals of a rate that changes, until it ends: the same processes of rate 1, in the time of its area."""
    _check_size(series.expected)
    if options.process == "poisson":
        steps = ArrivalOptions("poisson", 1.0, seed=options.seed, duration_s=series.expected)
        areas = _renewal(_gaps(steps), steps, 0) / SECOND_NS
    else:
        areas = np.arange(int(np.ceil(series.expected - 1e-9)), dtype=np.float64)
    if not len(areas):
        raise UsageError("--rate-series: not one arrival came of it; give higher rates or a later end")
    return _to_ns(series.reached_s(areas)[: options.most])


def _trace(options: ArrivalOptions, count: int, timestamps_s: NDArray[np.float64]) -> Times:
    """The trace's own times, its first at time zero, `trace_speedup` times as fast; repeated only for a duration."""
    times = (timestamps_s - timestamps_s[0]) / options.trace_speedup
    if options.duration_s is None:
        return _to_ns(times[:count])
    if len(times) < 2 or times[-1] == 0:
        raise UsageError("--duration repeats the trace and needs two timestamps that differ; use --num-prompts instead")
    period = times[-1] * len(times) / (len(times) - 1)  # the seam between repeats is one mean gap
    _check_size(options.duration_s / period * len(times))
    repeats = int(np.ceil(options.duration_s / period))
    times = (np.arange(repeats)[:, None] * period + times).ravel()
    return _to_ns(times[times < options.duration_s])


def _check_size(expected: float) -> None:
    if expected > LARGEST_PLAN:
        raise UsageError(f"a plan holds {LARGEST_PLAN:,} requests at most; lower --num-prompts, or --duration")


def _to_ns(times_s: NDArray[np.float64]) -> Times:
    if len(times_s) and times_s[-1] > LONGEST_S:
        raise UsageError("the plan lasts for more than 31 years; give a higher --request-rate or a lower --num-prompts")
    return np.rint(times_s * SECOND_NS).astype(np.int64)
