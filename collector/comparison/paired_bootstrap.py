"""The paired bootstrap: intervals of the differences of percentiles and throughput between two runs."""

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
    """Resamples runs `a` and `b`; together if they are `paired`, having sent the same requests at the same times.

    Then a resample has the same requests of both runs, so that differences between requests cancel out.
    """

    a: SampleSeries
    b: SampleSeries
    paired: bool

    def intervals(self, confidence: float, rounds: int = bootstrap.ROUNDS) -> dict[str, Known]:
        """Intervals of response, service and throughput from `rounds` resamples, by name of the figure."""
        found: dict[str, Known] = {}
        for kind in KINDS:
            of_a, of_b = self._draw(kind, rounds)
            all_a = of_a.percentiles(self.a.latency[kind], tuple(SHARES.values()))
            all_b = of_b.percentiles(self.b.latency[kind], tuple(SHARES.values()))
            for p, a, b in zip(SHARES, all_a, all_b, strict=True):
                needed = max(self.a.needed(kind, p, confidence), self.b.needed(kind, p, confidence))
                found[f"{kind}_{p}"] = needs(needed) if needed else self._intervals(kind, a, b, confidence)
        return {**found, THROUGHPUT.name: self._throughput(confidence, rounds)}

    def _throughput(self, confidence: float, rounds: int) -> Known:
        needed = max(self.a.needed_completions(), self.b.needed_completions())
        if needed:
            return needs(needed)
        of_a, of_b = self._draw("gap", rounds)
        with np.errstate(divide="ignore", invalid="ignore"):
            a = of_a.totals(self.a.ended_ok) / of_a.totals(self.a.gap_s)
            b = of_b.totals(self.b.ended_ok) / of_b.totals(self.b.gap_s)
        return self._intervals("gap", a, b, confidence)

    def _intervals(self, series: str, a: Floats, b: Floats, confidence: float) -> Intervals:
        with np.errstate(divide="ignore", invalid="ignore"):
            plain, change = b - a, b / a - 1
        width_factor = max(self.a.width_factor(series), self.b.width_factor(series))
        block = max(self._blocks(series))
        return Intervals(
            bootstrap.percentile_interval(plain, confidence),
            bootstrap.percentile_interval(change, confidence),
            width_factor,
            block,
        )

    def _draw(self, series: str, rounds: int) -> tuple[Resamples, Resamples]:
        """Draw resamples for one series; the block length of the most correlated one would be too long for all."""
        random, (block_a, block_b) = np.random.default_rng(SEED), self._blocks(series)
        of_a = Resamples.draw(len(self.a.index), block_a, random, rounds)
        return of_a, of_a if self.paired else Resamples.draw(len(self.b.index), block_b, random, rounds)

    def _blocks(self, series: str) -> tuple[int, int]:
        """Block lengths of both runs, in requests."""
        lengths = [bootstrap.block_length(len(run.index), run.correlations[series].tau) for run in (self.a, self.b)]
        return (max(lengths), max(lengths)) if self.paired else (lengths[0], lengths[1])
