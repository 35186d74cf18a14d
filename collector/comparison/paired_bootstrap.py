"""Two runs resampled together: what their percentiles and throughputs differ by, and how sure that is."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.comparison.difference import Intervals, Known
from collector.comparison.figures import KINDS, SHARES, THROUGHPUT
from collector.comparison.sample_series import SampleSeries, needs
from collector.statistics import bootstrap
from collector.statistics.bootstrap import Resamples

SEED: Final = 1
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PairedBootstrap:
    """Runs `a` and `b`, resampled as one where they are `paired`: where both sent the same requests at the same times.

    Then a resample has the same requests of both, so that what a request costs in either run does not blur the
    difference.
    """

    a: SampleSeries
    b: SampleSeries
    paired: bool

    def intervals(self, confidence: float, rounds: int = bootstrap.ROUNDS) -> dict[str, Known]:
        """Intervals of response, service and throughput from so many resamples, by the name of the figure."""
        found: dict[str, Known] = {}
        for kind in KINDS:
            of_a, of_b = self._draw(kind, rounds)
            all_a = of_a.percentiles(self.a.latency[kind], tuple(SHARES.values()))
            all_b = of_b.percentiles(self.b.latency[kind], tuple(SHARES.values()))
            for p, a, b in zip(SHARES, all_a, all_b, strict=True):
                lacks = max(self.a.lacks(kind, p, confidence), self.b.lacks(kind, p, confidence))
                found[f"{kind}_{p}"] = needs(lacks) if lacks else self._intervals(kind, a, b, confidence)
        return {**found, THROUGHPUT.name: self._throughput(confidence, rounds)}

    def _throughput(self, confidence: float, rounds: int) -> Known:
        lacks = max(self.a.lacks_completions(), self.b.lacks_completions())
        if lacks:
            return needs(lacks)
        of_a, of_b = self._draw("gap", rounds)
        with np.errstate(divide="ignore", invalid="ignore"):
            a = of_a.totals(self.a.ended_ok) / of_a.totals(self.a.gap_s)
            b = of_b.totals(self.b.ended_ok) / of_b.totals(self.b.gap_s)
        return self._intervals("gap", a, b, confidence)

    def _intervals(self, series: str, a: Floats, b: Floats, confidence: float) -> Intervals:
        with np.errstate(divide="ignore", invalid="ignore"):
            plain, change = b - a, b / a - 1
        wider = max(self.a.wider(series), self.b.wider(series))
        block = max(self._blocks(series))
        return Intervals(bootstrap.ends(plain, confidence), bootstrap.ends(change, confidence), wider, block)

    def _draw(self, series: str, rounds: int) -> tuple[Resamples, Resamples]:
        """Draw both runs anew for each series: blocks for the longest memory of all would be too few for the others."""
        random, (block_a, block_b) = np.random.default_rng(SEED), self._blocks(series)
        of_a = Resamples.draw(len(self.a.index), block_a, random, rounds)
        return of_a, of_a if self.paired else Resamples.draw(len(self.b.index), block_b, random, rounds)

    def _blocks(self, series: str) -> tuple[int, int]:
        """Block lengths of both runs, in requests."""
        lengths = [bootstrap.block_length(len(run.index), run.memory[series].tau) for run in (self.a, self.b)]
        return (max(lengths), max(lengths)) if self.paired else (lengths[0], lengths[1])
