"""The decision on one rate: whether it holds the target, by a bound that may be looked at after every run.

It is wrong with a probability of at most `error`, however often it is asked (docs/search.md has the argument).

It *holds* where the lower end of Clopper and Pearson's interval (Biometrika 26, 1934) is at least the target. Each of
the LOOKS that a rate gets spends an equal part of the error (alpha spending in its plainest form: Lan and DeMets,
Biometrika 70, 1983). Requests count as n / tau, see `worth`, and a growing backlog forbids it.

It *fails* where the same interval's upper end is below the target, or where a wager against the target has won enough.
The wager stakes nine tenths of its capital on each run in turn: a run with a share m of misses multiplies it by
0.1 + 0.9 m / (1 - target). Where the rate holds, the mean of that is at most 1, however much the requests of a run
resemble one another, so by Ville's inequality the capital ever reaches 1/x with a probability of at most x (Shafer,
Testing by betting, JRSS A 184, 2021). The wager decides an overload, whose requests are worth next to nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.statistics.autocorrelation import correlation
from collector.statistics.intervals import share_interval
from loadgen.search.measurement import CUT, Measurement

LOOKS: Final = 5  # at one rate, a run before each
_STAKE: Final = 0.9
_SURE: Final = 2.0  # standard errors that tau is taken to be larger than its estimate
_GROWS: Final = 1.64  # standard errors from which on the backlog is said to grow
_LEAST_TAUS: Final = 100  # a series of fewer tau says nothing of its own tau


class Decision(Enum):
    """What is known of one rate."""

    HOLDS = "holds"
    FAILS = "fails"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Worth:
    """What `requests` of a queue are worth: each as much as 1 / `tau` independent ones; `enough` to trust that."""

    requests: int
    tau: float

    @property
    def enough(self) -> bool:
        """Whether the series is long enough for tau to be known, and for the transient to be over."""
        return self.requests >= _LEAST_TAUS * self.tau


def decide(measurements: Sequence[Measurement], target: float, error: float) -> Decision:
    """Decide on all VALID runs so far at one rate, oldest first; wrong with a probability of at most `error`."""
    runs = [measurement for measurement in measurements if measurement.state == "VALID" and len(measurement.met)]
    if not runs:
        return Decision.OPEN
    if wager(runs, target) >= 2 / error:
        return Decision.FAILS
    steady = [run.steady for run in runs]
    counted = worth(steady)
    low, high = _interval(steady, counted, error)
    if counted.enough and high < target:
        return Decision.FAILS
    if counted.enough and low >= target and not grows(steady, counted.tau):
        return Decision.HOLDS
    return Decision.OPEN


def wager(runs: Sequence[Measurement], target: float) -> float:
    """The capital, from 1, of a wager that more than 1 - target of the requests miss; runs are independent."""
    misses = [1 - float(run.met.mean()) for run in runs]
    return math.prod(1 - _STAKE + _STAKE * miss / (1 - target) for miss in misses)


def least_requests(target: float, error: float) -> int:
    """How many independent requests, if all of them meet the target, show that a rate holds: target^n = error / LOOKS.

    Of a run the first tenth does not count, so it is so many more.
    """
    return math.ceil(math.log(error / LOOKS) / math.log(target) / (1 - 1 / CUT))


def runs_to_fail(target: float, error: float) -> int:
    """How many runs in which nothing meets the target it takes for the wager to win."""
    return math.ceil(math.log(2 / error) / math.log(1 - _STAKE + _STAKE / (1 - target)))


def worth(runs: Sequence[Measurement]) -> Worth:
    """What the requests are worth: tau is the larger of those of meeting the target and of the response.

    Where nothing misses, meeting the target has no tau to see, but the queue behind it has. Of an estimated tau the
    upper end is taken, two standard errors of tau sqrt(2 (2 W + 1) / n) above it, with W = 5 tau (Sokal 1997).
    """
    met = np.concatenate([run.met for run in runs]).astype(np.float64)
    response = np.concatenate([run.response_s for run in runs])
    tau = max(correlation(met).tau, correlation(response).tau)
    relative = math.sqrt(2 * (10 * tau + 1) / max(len(met), 1))
    return Worth(len(met), tau * (1 + _SURE * relative))


def grows(runs: Sequence[Measurement], tau: float) -> bool:
    """Whether responses of the second half of the runs are longer than those of the first, by more than chance."""
    rises = [_rise(run.response_s, tau) for run in runs if len(run.response_s) >= 2]
    rise, variance = sum(rise for rise, _ in rises), sum(variance for _, variance in rises)
    return rise > _GROWS * math.sqrt(variance) if variance else rise > 0


def _rise(response_s: NDArray[np.float64], tau: float) -> tuple[float, float]:
    """Mean of the second half minus that of the first, and its variance: s^2 tau / (n / 2) from each of them."""
    first, second = np.array_split(response_s, 2)
    within = (float(first.var()) + float(second.var())) / 2
    return float(second.mean() - first.mean()), 4 * within * tau / len(response_s)


def _interval(runs: Sequence[Measurement], counted: Worth, error: float) -> tuple[float, float]:
    """Bounds of the attainment: the lower one spends error / LOOKS, the upper one half of that, the wager the rest."""
    met = sum(int(run.met.sum()) for run in runs)
    effective = counted.requests / counted.tau
    ends = [
        share_interval(met / counted.tau, effective, confidence)
        for confidence in (1 - 2 * error / LOOKS, 1 - error / LOOKS)  # of which each takes one tail
    ]
    if ends[0] is None or ends[1] is None:
        return 0.0, 1.0
    return ends[0][0], ends[1][1]
