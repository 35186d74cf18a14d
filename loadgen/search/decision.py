"""The sequential test of one rate: whether it holds the target, decided anew after each run.

Over all looks at a rate the decision is wrong with a probability of at most `error`; docs/search.md has the argument.

A rate *holds* if the lower Clopper-Pearson confidence bound of its attainment (Biometrika 26, 1934) is at least the
target. Each of its LOOKS spends an equal part of the error (alpha spending in its plainest form: Lan and DeMets,
Biometrika 70, 1983). Correlated requests count as n / tau (see `effective_size`), and a growing backlog rules it out.

A rate *fails* if the upper bound is below the target, or if the betting martingale against the target is large enough.
The martingale bets nine tenths of its capital on each run: a run with a share m of misses multiplies the capital by
0.1 + 0.9 m / (1 - target). If the rate holds, the mean of this factor is at most 1, however correlated the requests of
a run are, so by Ville's inequality the capital ever reaches 1/x with a probability of at most x (Shafer, Testing by
betting, JRSS A 184, 2021). The martingale is what detects an overload, where the effective n is close to 0.
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
from loadgen.search.measurement import TRANSIENT, Measurement

LOOKS: Final = 5  # interim looks at one rate, each after one more run
_BET: Final = 0.9  # share of the capital that the martingale bets on each run
_TAU_ERRORS: Final = 2.0  # standard errors that are added to the estimate of tau
_BACKLOG_Z: Final = 1.64  # standard errors above which the backlog counts as growing
_MIN_TAUS: Final = 100  # tau cannot be estimated from a series shorter than so many tau


class Decision(Enum):
    """What the test says of one rate."""

    HOLDS = "holds"
    FAILS = "fails"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class EffectiveSize:
    """Sample size of `requests` correlated observations: each counts as 1 / `tau` independent ones."""

    requests: int
    tau: float

    @property
    def sufficient(self) -> bool:
        """Whether the series is long enough to know tau, and for the transient to be over."""
        return self.requests >= _MIN_TAUS * self.tau


def decide(measurements: Sequence[Measurement], target: float, error: float) -> Decision:
    """Test one rate on all its VALID runs so far, oldest first; wrong with a probability of at most `error`."""
    runs = [measurement for measurement in measurements if measurement.state == "VALID" and len(measurement.met)]
    if not runs:
        return Decision.OPEN
    if betting_martingale(runs, target) >= 2 / error:
        return Decision.FAILS
    steady = [run.steady for run in runs]
    size = effective_size(steady)
    lower, upper = _bounds(steady, size, error)
    if size.sufficient and upper < target:
        return Decision.FAILS
    if size.sufficient and lower >= target and not backlog_grows(steady, size.tau):
        return Decision.HOLDS
    return Decision.OPEN


def betting_martingale(runs: Sequence[Measurement], target: float) -> float:
    """Return the capital, from 1, of bets that more than 1 - target of the requests miss; runs are independent."""
    misses = [1 - float(run.met.mean()) for run in runs]
    return math.prod(1 - _BET + _BET * miss / (1 - target) for miss in misses)


def least_requests(target: float, error: float) -> int:
    """Return how many independent requests show that a rate holds if all meet the target: target^n = error / LOOKS.

    The first tenth of a run is cut as its transient, so the number is larger by that.
    """
    return math.ceil(math.log(error / LOOKS) / math.log(target) / (1 - 1 / TRANSIENT))


def runs_to_fail(target: float, error: float) -> int:
    """Return after how many runs without a single met target the martingale shows that a rate fails."""
    return math.ceil(math.log(2 / error) / math.log(1 - _BET + _BET / (1 - target)))


def effective_size(runs: Sequence[Measurement]) -> EffectiveSize:
    """Estimate tau: the larger of that of the indicator "met the target" and that of the response.

    If nothing misses, the indicator is constant and shows no correlation, but the response does. Of the estimate the
    upper end is used, two standard errors of tau sqrt(2 (2 W + 1) / n) above it, with W = 5 tau (Sokal 1997).
    """
    met = np.concatenate([run.met for run in runs]).astype(np.float64)
    response = np.concatenate([run.response_s for run in runs])
    tau = max(correlation(met).tau, correlation(response).tau)
    relative = math.sqrt(2 * (10 * tau + 1) / max(len(met), 1))
    return EffectiveSize(len(met), tau * (1 + _TAU_ERRORS * relative))


def backlog_grows(runs: Sequence[Measurement], tau: float) -> bool:
    """Whether responses in the second half of the runs are significantly longer than in the first."""
    rises = [_rise(run.response_s, tau) for run in runs if len(run.response_s) >= 2]
    rise, variance = sum(rise for rise, _ in rises), sum(variance for _, variance in rises)
    return rise > _BACKLOG_Z * math.sqrt(variance) if variance else rise > 0


def _rise(response_s: NDArray[np.float64], tau: float) -> tuple[float, float]:
    """Mean of the second half minus that of the first, and its variance: s^2 tau / (n / 2) from each half."""
    first, second = np.array_split(response_s, 2)
    within = (float(first.var()) + float(second.var())) / 2
    return float(second.mean() - first.mean()), 4 * within * tau / len(response_s)


def _bounds(runs: Sequence[Measurement], size: EffectiveSize, error: float) -> tuple[float, float]:
    """Confidence bounds of the attainment: the lower one spends error / LOOKS, the upper one half of that.

    The other half of the error is the martingale's.
    """
    met = sum(int(run.met.sum()) for run in runs)
    effective = size.requests / size.tau
    intervals = [
        share_interval(met / size.tau, effective, confidence)
        for confidence in (1 - 2 * error / LOOKS, 1 - error / LOOKS)  # two-sided; one tail of each is used
    ]
    if intervals[0] is None or intervals[1] is None:
        return 0.0, 1.0
    return intervals[0][0], intervals[1][1]
