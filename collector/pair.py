"""Two runs resampled together: what their percentiles and throughputs differ by, and how sure that is."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector import bootstrap
from collector.bootstrap import Resamples
from collector.difference import Intervals, Known
from collector.figure import KINDS, SHARES, THROUGHPUT
from collector.observed import Observed, needs

SEED: Final = 1
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pair:
    """Runs `a` and `b`, resampled as one where they are `paired`: where both sent the same requests at the same times.

    Then a resample has the same requests of both, so that what a request costs in either run does not blur the
    difference.
    """

    a: Observed
    b: Observed
    paired: bool

    @property
    def block(self) -> int:
        """Length of the blocks, in requests: that of the longest memory of any series."""
        n = min(len(self.a.index), len(self.b.index))
        return bootstrap.block_length(n, max(self.a.tau, self.b.tau))

    def intervals(self, confidence: float, rounds: int = bootstrap.ROUNDS) -> dict[str, Known]:
        """Intervals of response, service and throughput from so many resamples, by the name of the figure."""
        of_a, of_b = self._draw(rounds)
        found: dict[str, Known] = {}
        for kind in KINDS:
            all_a = of_a.percentiles(self.a.latency[kind], tuple(SHARES.values()))
            all_b = of_b.percentiles(self.b.latency[kind], tuple(SHARES.values()))
            for p, a, b in zip(SHARES, all_a, all_b, strict=True):
                lacks = max(self.a.lacks(kind, p, confidence), self.b.lacks(kind, p, confidence))
                found[f"{kind}_{p}"] = needs(lacks) if lacks else self._intervals(kind, a, b, confidence)
        lacks = max(self.a.lacks_completions(), self.b.lacks_completions())
        a, b = _throughput(of_a, self.a), _throughput(of_b, self.b)
        found[THROUGHPUT.name] = needs(lacks) if lacks else self._intervals("gap", a, b, confidence)
        return found

    def _intervals(self, series: str, a: Floats, b: Floats, confidence: float) -> Intervals:
        wider = max(self.a.wider(series), self.b.wider(series))
        with np.errstate(divide="ignore", invalid="ignore"):
            return Intervals(bootstrap.ends(b - a, confidence), bootstrap.ends(b / a - 1, confidence), wider)

    def _draw(self, rounds: int) -> tuple[Resamples, Resamples]:
        random = np.random.default_rng(SEED)
        of_a = Resamples.draw(len(self.a.index), self.block, random, rounds)
        return of_a, of_a if self.paired else Resamples.draw(len(self.b.index), self.block, random, rounds)


def _throughput(drawn: Resamples, run: Observed) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return drawn.totals(run.ended_ok) / drawn.totals(run.gap_s)
