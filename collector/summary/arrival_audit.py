"""The arrival audit: whether the planned gaps follow the asked process, and whether requests were sent as planned.

Poisson and gamma gaps are tested (Kolmogorov-Smirnov) against the asked rate; a test against an estimated rate would
not detect a wrong one. Gaps of a changing rate are time-rescaled first by its integral, which makes their rate 1
(Brown et al., Neural Computation 14, 2002). Sends are compared with the plan by counts per second.
"""

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.statistics.gamma_distribution import gamma_cdf
from collector.summary.result import ArrivalAudit, SecondCount, SecondCounts
from collector.summary.run_info import RunInfo
from collector.summary.times import Times
from collector.text import quantity

Floats = NDArray[np.float64]
Expected = Callable[[Floats], Floats]  # seconds from time zero -> requests expected until then, ascending

ALPHA: Final = 0.001
SECOND_NS: Final = 1_000_000_000
_RANDOM: Final = ("poisson", "gamma")
_MIN_GAPS: Final = 10  # fewer are not tested
_HALF_NS: Final = 0.5e-9  # planned times are rounded to nanoseconds
_KNOTS: Final = 4096  # of the distribution function, interpolated linearly in between


def audit(times: Times, info: RunInfo) -> ArrivalAudit:
    """Test the planned gaps, and compare the sends with the plan."""
    planned_s = (info.scheduled_ns - info.started_ns) / 1e9
    shape = info.burstiness if info.arrival == "gamma" else 1.0
    judged = info.arrival in _RANDOM and not info.closed_loop and info.planned >= _MIN_GAPS and shape > 0
    distance = gap_distance(planned_s, shape, _expected(info)) if judged else None
    p = None if distance is None else distance_p(distance, info.planned)
    return ArrivalAudit(
        process=info.arrival,
        gaps=info.planned if judged else 0,
        ks_distance=distance,
        p_value=p,
        per_second=None if info.closed_loop or not info.planned else _per_second(times, info),
        warning=_warning(info, p) if p is not None and p < ALPHA else None,
    )


def _expected(info: RunInfo) -> Expected:
    """The integral of the asked rate from time zero on, for a constant or a piecewise linear rate."""
    if not info.rate_series:
        return lambda t: info.asked_rate * t
    at_s, rate = np.array(info.rate_series).T
    areas = np.concatenate([[0.0], np.cumsum(np.diff(at_s) * (rate[1:] + rate[:-1]) / 2)])

    def area(t: Floats) -> Floats:
        within = np.clip(t, at_s[0], at_s[-1])
        piece = np.clip(np.searchsorted(at_s, within, side="right") - 1, 0, len(at_s) - 2)
        triangle = (np.interp(within, at_s, rate) + rate[piece]) / 2  # at a jump the width is 0
        found: Floats = areas[piece] + triangle * (within - at_s[piece])
        return found

    return area


def gap_distance(planned_s: Floats, shape: float, expected: Expected) -> float:
    """The Kolmogorov-Smirnov distance between the rescaled gaps and a gamma distribution of this shape and mean 1.

    `planned_s` is float64[n] from time zero. A distance that rounding to nanoseconds explains does not count.
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
    """The p-value of a distance, by Kolmogorov's limit with Stephens' correction for finite n.

    Stephens, Journal of the Royal Statistical Society B 32, 1970.
    """
    root = math.sqrt(n)
    return kolmogorov_tail((root + 0.12 + 0.11 / root) * distance)


def kolmogorov_tail(x: float) -> float:
    """P(K > x) of Kolmogorov's distribution, by whichever of its two series converges fast (Feller, 1948)."""
    if x < 0.04:
        return 1.0
    if x < 1:
        theta = sum(math.exp(-((2 * k - 1) ** 2) * math.pi**2 / (8 * x * x)) for k in range(1, 6))
        return 1 - math.sqrt(2 * math.pi) / x * theta
    return 2 * sum((-1.0) ** (k - 1) * math.exp(-2 * (k * x) ** 2) for k in range(1, 6))


def _warning(info: RunInfo, p: float) -> str:
    return (
        f"The planned gaps do not fit a {info.arrival} process at {quantity.rate(info.asked_rate)} "
        f"(Kolmogorov-Smirnov, p = {p:.2g}). This happens by chance for one seed in {1 / ALPHA:,.0f}: "
        "try another --arrival-seed, and report it if it repeats."
    )


def _per_second(times: Times, info: RunInfo) -> SecondCounts:
    """Counts per second from time zero; `worst` is the second in which sends deviated most from the plan."""
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
