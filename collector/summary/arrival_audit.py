"""The arrival audit: whether the planned gaps are what was asked for, and the sends where the plan has them.

Poisson and gamma gaps are judged by Kolmogorov and Smirnov's test against the asked rate, never against an estimated
one, which would forgive a wrong rate. Gaps of a rate that changes are rescaled by its integral first, after which they
are those of rate 1 (Brown et al., Neural Computation 14, 2002). Sends are compared with the plan by counts per second.
"""

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.statistics.gamma import gamma_cdf
from collector.summary.result import ArrivalAudit, SecondCount, SecondCounts
from collector.summary.run_info import RunInfo
from collector.summary.times import Times
from collector.text import quantity

Floats = NDArray[np.float64]
Expected = Callable[[Floats], Floats]  # seconds from time zero -> requests expected until then, ascending

ALPHA: Final = 0.001
SECOND_NS: Final = 1_000_000_000
_RANDOM: Final = ("poisson", "gamma")
_FEWEST: Final = 10  # gaps that are worth a judgement
_HALF_NS: Final = 0.5e-9  # planned times are whole nanoseconds, so each is known within this
_KNOTS: Final = 4096  # of the distribution function; between them it is as good as straight


def audit(times: Times, info: RunInfo) -> ArrivalAudit:
    """Judge the planned gaps, and count sends against the plan."""
    planned_s = (info.scheduled_ns - info.started_ns) / 1e9
    shape = info.burstiness if info.arrival == "gamma" else 1.0
    judged = info.arrival in _RANDOM and not info.closed_loop and info.planned >= _FEWEST and shape > 0
    distance = gap_distance(planned_s, shape, _expected(info)) if judged else None
    p = None if distance is None else distance_p(distance, info.planned)
    return ArrivalAudit(
        process=info.arrival,
        gaps=info.planned if judged else 0,
        distance=distance,
        p=p,
        per_second=None if info.closed_loop or not info.planned else _per_second(times, info),
        warning=_unlikely(info, p) if p is not None and p < ALPHA else None,
    )


def _expected(info: RunInfo) -> Expected:
    """The integral of the asked rate: its area up to a time, be it a level or a series of straight lines."""
    if not info.rate_series:
        return lambda t: info.asked_rate * t
    at_s, rate = np.array(info.rate_series).T
    areas = np.concatenate([[0.0], np.cumsum(np.diff(at_s) * (rate[1:] + rate[:-1]) / 2)])

    def area(t: Floats) -> Floats:
        within = np.clip(t, at_s[0], at_s[-1])
        piece = np.clip(np.searchsorted(at_s, within, side="right") - 1, 0, len(at_s) - 2)
        triangle = (np.interp(within, at_s, rate) + rate[piece]) / 2  # at a jump interp is of one side, and the width 0
        found: Floats = areas[piece] + triangle * (within - at_s[piece])
        return found

    return area


def gap_distance(planned_s: Floats, shape: float, expected: Expected) -> float:
    """The largest distance between the distribution of the rescaled gaps and gamma's with this shape and mean 1.

    Gaps count from time zero. A distance that the rounding of times to whole nanoseconds explains is none.
    """
    early, late = expected(planned_s - _HALF_NS), expected(planned_s + _HALF_NS)
    zero = expected(np.zeros(1))
    shortest = np.sort(early - np.concatenate([zero, late[:-1]]))
    longest = np.sort(late - np.concatenate([zero, early[:-1]]))
    n = len(planned_s)
    places = np.arange(n + 1) / n
    above = places[1:] - _gap_cdf(longest, shape)
    below = _gap_cdf(shortest, shape) - places[:-1]
    return float(max(above.max(), below.max(), 0.0))


def _gap_cdf(ascending: Floats, shape: float) -> Floats:
    if len(ascending) <= _KNOTS:
        return gamma_cdf(shape * ascending, shape)
    positive = ascending[np.searchsorted(ascending, 0.0, side="right") :]
    if not len(positive):
        return np.zeros(len(ascending))
    knots = np.geomspace(positive[0], positive[-1], _KNOTS)
    share: Floats = np.interp(ascending, knots, gamma_cdf(shape * knots, shape), left=0.0)
    return share


def distance_p(distance: float, n: int) -> float:
    """How likely such a distance, or a larger one, is by chance, by Kolmogorov's limit with Stephens' correction for n.

    Stephens, Journal of the Royal Statistical Society B 32, 1970.
    """
    root = math.sqrt(n)
    return kolmogorov_tail((root + 0.12 + 0.11 / root) * distance)


def kolmogorov_tail(x: float) -> float:
    """P(K > x) of Kolmogorov's distribution, by whichever of its two series converges at once (Feller, 1948)."""
    if x < 0.04:
        return 1.0
    if x < 1:
        theta = sum(math.exp(-((2 * k - 1) ** 2) * math.pi**2 / (8 * x * x)) for k in range(1, 6))
        return 1 - math.sqrt(2 * math.pi) / x * theta
    return 2 * sum((-1.0) ** (k - 1) * math.exp(-2 * (k * x) ** 2) for k in range(1, 6))


def _unlikely(info: RunInfo, p: float) -> str:
    return (
        f"The planned gaps do not look like {info.arrival} at {quantity.rate(info.asked_rate)} (Kolmogorov-Smirnov, "
        f"p = {p:.2g}). One seed in {1 / ALPHA:,.0f} looks so by chance: try another --arrival-seed, and report it if "
        "it repeats."
    )


def _per_second(times: Times, info: RunInfo) -> SecondCounts:
    """Counts in whole seconds from time zero; `worst` is the second where the sends were furthest from the plan."""
    due_at, due = np.unique((info.scheduled_ns - info.started_ns) // SECOND_NS, return_counts=True)
    sent_at, sent = np.unique((times.sent_ns - info.started_ns) // SECOND_NS, return_counts=True)
    at = np.union1d(due_at, sent_at)
    planned, found = np.zeros(len(at), np.int64), np.zeros(len(at), np.int64)
    planned[np.searchsorted(at, due_at)], found[np.searchsorted(at, sent_at)] = due, sent
    worst = int(np.argmax(np.abs(planned - found)))
    return SecondCounts(
        seconds=int(due_at[-1] - due_at[0]) + 1,
        worst=SecondCount(at_s=int(at[worst]), planned=int(planned[worst]), sent=int(found[worst])),
    )
