"""Stationarity of the latencies: an initial transient and a drift are reported, and nothing is removed.

The transient ends at the truncation point of MSER-5: the one, within the first half of the run, that minimises the
standard error of the mean of the rest, over batches of 5 (White, Simulation 69, 1997; White, Cobb and Spratt, Winter
Simulation Conference 2000). It is reported if a rank-sum test tells it from the rest (Wilcoxon, Biometrics Bulletin 1,
1945, with effective sample sizes). The rest is tested for a drift by Mann and Kendall's trend test (Econometrica 13,
1945; Rank Correlation Methods, 1948) over means of batches long enough to be uncorrelated. Both are reported only if
they change the mean by more than 5 %, the threshold of the verdict.
"""

import math
from dataclasses import dataclass
from typing import Final, TypedDict

import numpy as np
from numpy.typing import NDArray

from collector.statistics.autocorrelation import correlation
from collector.text import quantity

Floats = NDArray[np.float64]

_BATCH: Final = 5
_MIN_BATCHES: Final = 20  # fewer are not tested
_SIGNIFICANT: Final = 3.5  # standard errors between transient and rest; strict, since MSER picks the best of many
_ALPHA: Final = 0.01  # of the trend test
_MATTERS: Final = 0.05  # share of the mean
_TREND_TAU, _TREND_MIN, _TREND_MAX = 2, 6, 30  # length in tau, fewest and most batches of the trend test
_UNSTEADY: Final = "Lower the rate, or run for longer."
_RATE_MOVED: Final = "The asked rate changed too: read the figures over time instead."


class Stationarity(TypedDict):
    """The initial transient and the drift of the latencies of the `n` successful requests.

    `transient` is the length of the transient in requests (0: none), `transient_share` its share of `n`.
    `drift_change` is the change of the others from first to last as a share of their mean, `drift_p_value` its p-value,
    both null if `batches` are too few. The figures include the transient.
    """

    n: int
    transient: int
    transient_share: float
    batches: int
    drift_p_value: float | None
    drift_change: float | None
    warning: str | None


@dataclass(frozen=True, slots=True)
class Drift:
    """A trend over the means of `batches`: its p-value, and Sen's slope, end to end, as a share of the mean."""

    batches: int
    p: float | None
    change: float | None

    @property
    def matters(self) -> bool:
        """Whether it is significant, and large enough to be reported."""
        return self.p is not None and self.change is not None and self.p < _ALPHA and abs(self.change) > _MATTERS


def judge(latency_s: Floats, *, changing: bool = False) -> Stationarity:
    """Test the latencies, in seconds and schedule order, of the requests that succeeded.

    With a `changing` rate (`--rate-series`) a drift is expected, and the warning says so.
    """
    n = len(latency_s)
    batches = latency_s[: n // _BATCH * _BATCH].reshape(-1, _BATCH).mean(axis=1)
    truncated = truncation(batches)
    drift = drift_of(batches[truncated:])
    cut = truncated * _BATCH if _is_transient(latency_s, truncated * _BATCH) else 0
    return Stationarity(
        n=n,
        transient=cut,
        transient_share=cut / n if cut else 0.0,
        batches=drift.batches,
        drift_p_value=drift.p,
        drift_change=drift.change,
        warning=_drift_warning(drift, changing) if drift.matters else _transient_warning(cut / n) if cut else None,
    )


def truncation(batches: Floats) -> int:
    """The MSER truncation point: the d <= n / 2 that minimises the squared deviations of the rest / (n - d)**2."""
    n = len(batches)
    if n < _MIN_BATCHES:
        return 0
    rest = batches - batches.mean()  # centred, for numerical accuracy
    remaining = n - np.arange(n // 2 + 1)
    sums = np.cumsum(rest[::-1])[::-1][: n // 2 + 1]
    squares = np.cumsum(rest[::-1] ** 2)[::-1][: n // 2 + 1]
    return int(np.argmin((squares - sums**2 / remaining) / remaining**2.0))


def _is_transient(latency_s: Floats, cut: int) -> bool:
    """Whether the first `cut` latencies differ significantly from the rest, and change the mean.

    In a run too short for its tau a transient cannot be told from the fluctuations of a queue.
    """
    if not cut:
        return False
    n, rest = len(latency_s), latency_s[cut:]
    if abs(float(latency_s.mean() - rest.mean())) <= _MATTERS * abs(float(rest.mean())):
        return False
    ranks = np.empty(n)
    ranks[np.argsort(latency_s, kind="stable")] = np.arange(n)
    correlated = correlation(ranks[cut:])
    variance = (n * n - 1) / 12 * (min(correlated.tau / cut, 1.0) + min(correlated.tau / len(rest), 1.0))
    apart = abs(float(ranks[:cut].mean() - ranks[cut:].mean()))
    return correlated.enough and apart > _SIGNIFICANT * math.sqrt(variance)


def drift_of(batches: Floats) -> Drift:
    """Test the batch means for a trend; tau is that of the detrended series, since a trend would inflate it."""
    n = len(batches)
    if n < _MIN_BATCHES // 2:
        return Drift(0, None, None)
    length = math.ceil(_TREND_TAU * correlation(_detrended(batches)).tau)
    m = min(n // length, _TREND_MAX)
    if m < _TREND_MIN:
        return Drift(m, None, None)
    means = batches[n % m :].reshape(m, -1).mean(axis=1)
    mean = float(means.mean())
    return Drift(m, mann_kendall_p(means), sen_slope(means) * (m - 1) / mean if mean else 0.0)


def _detrended(series: Floats) -> Floats:
    place = np.arange(len(series)) - (len(series) - 1) / 2
    slope = float(place @ series) / float(place @ place)
    rest: Floats = series - series.mean() - place * slope
    return rest


def mann_kendall_p(series: Floats) -> float:
    """The two-sided p-value of Mann and Kendall's trend test; ties make it slightly conservative."""
    m = len(series)
    later, earlier = np.tril_indices(m, -1)
    score = abs(float(np.sign(series[later] - series[earlier]).sum()))
    deviation = math.sqrt(m * (m - 1) * (2 * m + 5) / 18)
    return math.erfc(max(score - 1, 0.0) / deviation / math.sqrt(2))


def sen_slope(series: Floats) -> float:
    """The median of the slopes between all pairs, per step (Sen, JASA 63, 1968)."""
    later, earlier = np.tril_indices(len(series), -1)
    return float(np.median((series[later] - series[earlier]) / (later - earlier)))


def _drift_warning(drift: Drift, changing: bool) -> str:
    assert drift.p is not None
    assert drift.change is not None
    way = "rise" if drift.change > 0 else "fall"
    return (
        f"Responses {way} by {quantity.share(abs(drift.change))} of their mean over the run (Mann-Kendall, "
        f"p = {drift.p:.1g}), so the figures describe no steady state. {_RATE_MOVED if changing else _UNSTEADY}"
    )


def _transient_warning(share: float) -> str:
    return (
        f"The first {quantity.share(share)} of the run is a transient (MSER-5), and the figures include it: "
        "send more --warmup-requests, or run for longer."
    )
