"""Arrival processes: all send times, drawn before time zero.

Every function returns int64 nanoseconds from time zero, ascending. They are never rescaled to a sum of n/rate: the sum
of n random gaps is random too, and with a fixed sum the process would not be Poisson.
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from loadgen.clock import SECOND_NS
from loadgen.errors import UsageError
from loadgen.options import ArrivalOptions
from loadgen.planning.rate_series import RateSeries

MAX_DURATION_S: Final = 1e9
MAX_REQUESTS: Final = 50_000_000  # about 5 GB
Times = NDArray[np.int64]
Draw = Callable[[int], NDArray[np.float64]]  # number of gaps -> gaps in seconds


def plan_arrivals(options: ArrivalOptions, count: int, timestamps_s: Sequence[float] = ()) -> Times:
    """Draw the send times of `count` requests, or of as many as fit into `duration_s` if that is set.

    `timestamps_s` are those of a trace, for the trace process. Raises UsageError for an empty or oversized plan.
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
    """Request i at i / rate, computed from i, so that no rounding errors add up."""
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
    """Arrivals at a changing rate: those of a process of rate 1, mapped through the expected number of arrivals."""
    _check_size(series.expected)
    if options.process == "poisson":
        steps = ArrivalOptions("poisson", 1.0, seed=options.seed, duration_s=series.expected)
        areas = _renewal(_gaps(steps), steps, 0) / SECOND_NS
    else:
        areas = np.arange(int(np.ceil(series.expected - 1e-9)), dtype=np.float64)
    if not len(areas):
        raise UsageError("--rate-series: gives no arrival; give higher rates or a later end")
    return _to_ns(series.reached_s(areas)[: options.max_requests])


def _trace(options: ArrivalOptions, count: int, timestamps_s: NDArray[np.float64]) -> Times:
    """The timestamps of the trace from its first on, `trace_speedup` times as fast; repeated only for --duration."""
    times = (timestamps_s - timestamps_s[0]) / options.trace_speedup
    if options.duration_s is None:
        return _to_ns(times[:count])
    if len(times) < 2 or times[-1] == 0:
        raise UsageError(
            "--duration repeats the trace, which needs two different timestamps; use --num-prompts instead"
        )
    period = times[-1] * len(times) / (len(times) - 1)  # one mean gap between two repeats
    _check_size(options.duration_s / period * len(times))
    repeats = int(np.ceil(options.duration_s / period))
    times = (np.arange(repeats)[:, None] * period + times).ravel()
    return _to_ns(times[times < options.duration_s])


def _check_size(expected: float) -> None:
    if expected > MAX_REQUESTS:
        raise UsageError(f"a plan holds at most {MAX_REQUESTS:,} requests; lower --num-prompts or --duration")


def _to_ns(times_s: NDArray[np.float64]) -> Times:
    if len(times_s) and times_s[-1] > MAX_DURATION_S:
        raise UsageError("the plan takes more than 31 years; give a higher --request-rate or a lower --num-prompts")
    return np.rint(times_s * SECOND_NS).astype(np.int64)
