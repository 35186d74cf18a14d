"""Are the latencies of a run of one kind? A warm-up transient at its start and a drift are named, and nothing is cut.

The transient is where MSER-5 would cut: of all beginnings up to half of the run, the one without which the mean of the
rest has the smallest standard error, over batches of 5 (White, Simulation 69, 1997; White, Cobb and Spratt, Winter
Simulation Conference 2000). It is named where ranks tell it from the rest (Wilcoxon, Biometrics Bulletin 1, 1945, in
effective observations). The drift of the rest is judged by Mann and Kendall's trend test (Econometrica 13, 1945; Rank
Correlation Methods, 1948) over means of batches long enough to have forgotten each other. Both count only where they
move the mean by more than the 5 % of the verdict.
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
_FEWEST: Final = 20  # batches from which on a run is worth a judgement
_CERTAIN: Final = 3.5  # standard errors between a transient and the rest: MSER looks at many cuts, and picks the best
_ALPHA: Final = 0.01  # of the trend test
_MATTERS: Final = 0.05  # share of the mean
_TREND_TAU, _TREND_LEAST, _TREND_MOST = 2, 6, 30  # how long and how many the batches of the trend test are
_UNSTEADY: Final = "Lower the rate, or run for longer."
_RATE_MOVED: Final = "The asked rate changed too: read them over time, a stretch each."


class Stationarity(TypedDict):
    """Whether the latencies of the run are of one kind: a warm-up transient at its start, or a drift.

    `cut` is how many of the first that succeeded are a transient (0: none; `cut_share` of `n`). `drift_change` is by
    what share of their mean the others change from the first to the last, and `drift_p` how likely that is by chance,
    both null where `batches` are too few to tell. Nothing is cut.
    """

    n: int
    cut: int
    cut_share: float
    batches: int
    drift_p: float | None
    drift_change: float | None
    warning: str | None


@dataclass(frozen=True, slots=True)
class Drift:
    """A trend over `batches` means: how likely it is by chance, and Sen's slope, end to end, as a share of the mean."""

    batches: int
    p: float | None
    change: float | None

    @property
    def matters(self) -> bool:
        """Whether it is there, and large enough to be worth a word."""
        return self.p is not None and self.change is not None and self.p < _ALPHA and abs(self.change) > _MATTERS


def judge(latency_s: Floats, *, changing: bool = False) -> Stationarity:
    """Judge the latencies, in seconds and schedule order, of the requests that succeeded.

    Where the asked rate was `changing` (`--rate-series`) a drift is no surprise, but the figures are of no one rate.
    """
    n = len(latency_s)
    batches = latency_s[: n // _BATCH * _BATCH].reshape(-1, _BATCH).mean(axis=1)
    found = truncation(batches)
    drift = drift_of(batches[found:])
    cut = found * _BATCH if _is_transient(latency_s, found * _BATCH) else 0
    return Stationarity(
        n=n,
        cut=cut,
        cut_share=cut / n if cut else 0.0,
        batches=drift.batches,
        drift_p=drift.p,
        drift_change=drift.change,
        warning=_drifts(drift, changing) if drift.matters else _settles(cut / n) if cut else None,
    )


def truncation(batches: Floats) -> int:
    """MSER's cut: the d up to half of n batches with the least squares about the mean of the rest, by (n - d)**2."""
    n = len(batches)
    if n < _FEWEST:
        return 0
    rest = batches - batches.mean()  # about which squares lose no digits
    left = n - np.arange(n // 2 + 1)
    sums = np.cumsum(rest[::-1])[::-1][: n // 2 + 1]
    squares = np.cumsum(rest[::-1] ** 2)[::-1][: n // 2 + 1]
    return int(np.argmin((squares - sums**2 / left) / left**2.0))


def _is_transient(latency_s: Floats, cut: int) -> bool:
    """Whether what MSER would cut is really of another kind than the rest, and moves the mean.

    In a run too short for its tau nothing tells a transient from the ups and downs of a queue.
    """
    if not cut:
        return False
    n, rest = len(latency_s), latency_s[cut:]
    if abs(float(latency_s.mean() - rest.mean())) <= _MATTERS * abs(float(rest.mean())):
        return False
    ranks = np.empty(n)
    ranks[np.argsort(latency_s, kind="stable")] = np.arange(n)
    memory = correlation(ranks[cut:])
    variance = (n * n - 1) / 12 * (min(memory.tau / cut, 1.0) + min(memory.tau / len(rest), 1.0))
    apart = abs(float(ranks[:cut].mean() - ranks[cut:].mean()))
    return memory.enough and apart > _CERTAIN * math.sqrt(variance)


def drift_of(batches: Floats) -> Drift:
    """Test the batch means for a trend; tau is that of what is left without a straight line, which would inflate it."""
    n = len(batches)
    if n < _FEWEST // 2:
        return Drift(0, None, None)
    length = math.ceil(_TREND_TAU * correlation(_without_line(batches)).tau)
    m = min(n // length, _TREND_MOST)
    if m < _TREND_LEAST:
        return Drift(m, None, None)
    means = batches[n % m :].reshape(m, -1).mean(axis=1)
    mean = float(means.mean())
    return Drift(m, mann_kendall_p(means), sen_slope(means) * (m - 1) / mean if mean else 0.0)


def _without_line(series: Floats) -> Floats:
    place = np.arange(len(series)) - (len(series) - 1) / 2
    slope = float(place @ series) / float(place @ place)
    rest: Floats = series - series.mean() - place * slope
    return rest


def mann_kendall_p(series: Floats) -> float:
    """How likely a trend this clear, up or down, is by chance; ties make the test a little cautious."""
    m = len(series)
    later, earlier = np.tril_indices(m, -1)
    score = abs(float(np.sign(series[later] - series[earlier]).sum()))
    deviation = math.sqrt(m * (m - 1) * (2 * m + 5) / 18)
    return math.erfc(max(score - 1, 0.0) / deviation / math.sqrt(2))


def sen_slope(series: Floats) -> float:
    """The median of the slopes between all pairs, per place (Sen, JASA 63, 1968)."""
    later, earlier = np.tril_indices(len(series), -1)
    return float(np.median((series[later] - series[earlier]) / (later - earlier)))


def _drifts(drift: Drift, changing: bool) -> str:
    assert drift.p is not None
    assert drift.change is not None
    way = "rise" if drift.change > 0 else "fall"
    return (
        f"Responses {way} by {quantity.share(abs(drift.change))} of their mean over the run (Mann-Kendall, "
        f"p = {drift.p:.1g}): the figures describe no steady state. {_RATE_MOVED if changing else _UNSTEADY}"
    )


def _settles(share: float) -> str:
    return (
        f"The first {quantity.share(share)} of the run is a transient (MSER-5), and the figures have it in them: "
        "send more --warmup-requests, or run for longer."
    )
