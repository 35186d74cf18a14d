"""How often the interval of a difference covers 0 where two runs do not differ, by seeded simulation."""

import numpy as np
from numpy.typing import NDArray

from collector.comparison.difference import Intervals, difference
from collector.comparison.figures import FIGURES, Estimate
from collector.comparison.paired_bootstrap import PairedBootstrap
from collector.comparison.sample_series import SampleSeries
from collector.statistics.autocorrelation import correlation
from scripts.benching.table import markdown
from scripts.interval_coverage.intervals import responses

RUNS = 300
ROUNDS = 499  # the report takes 1,999; the ends are a little less steady with these
FIGURES_SHOWN = ("response_p50", "response_p90", "response_p99")
CASES = (("independent", 100), ("independent", 400), ("independent", 4_000))
QUEUES = ((0.3, 500), (0.3, 5_000), (0.7, 1_000), (0.7, 5_000), (0.7, 20_000), (0.9, 20_000))
Series = NDArray[np.float64]


def main() -> None:
    """Print the table."""
    rows = [(name, "", f"{n:,}", *_cells(cover(None, n, RUNS))) for name, n in CASES]
    rows += [("M/M/1", f"{load}", f"{n:,}", *_cells(cover(load, n, RUNS))) for load, n in QUEUES]
    print(f"\nTwo equal runs, {RUNS} times: share of the intervals given that hold 0 (and share of pairs given one)\n")
    print(markdown(("responses", "load", "n", "p50", "p90", "p99"), rows))


def cover(load: float | None, n: int, runs: int, rounds: int = ROUNDS) -> dict[str, tuple[float, float]]:
    """Of each figure, the share of intervals that hold 0, and that of pairs that were given one."""
    random = np.random.default_rng(n)
    held = dict.fromkeys(FIGURES_SHOWN, 0)
    given = dict.fromkeys(FIGURES_SHOWN, 0)
    for _ in range(runs):
        a, b = (random.exponential(1, n) if load is None else responses("M/M/1", load, n, random) for _ in "ab")
        known = PairedBootstrap(observed(a), observed(b), paired=False).intervals(0.95, rounds)
        for figure in FIGURES[:3]:
            found = known[figure.name]
            if isinstance(found, Intervals):
                given[figure.name] += 1
                held[figure.name] += _holds(figure.name, a, b, found)
    return {name: (held[name] / max(given[name], 1), given[name] / runs) for name in FIGURES_SHOWN}


def observed(response_s: Series) -> SampleSeries:
    """A run of successes that took so long."""
    n, none = len(response_s), np.zeros(0)
    memory = {"response": correlation(response_s), "service": correlation(none), "gap": correlation(none)}
    nothing = np.full(n, np.nan)
    return SampleSeries(
        np.arange(n), {"response": response_s, "service": nothing}, none, none, np.zeros(n), np.ones(n), memory
    )


def _holds(name: str, a: Series, b: Series, found: Intervals) -> bool:
    share = {"p50": 0.5, "p90": 0.9, "p99": 0.99}[name.rpartition("_")[2]]
    of_a, of_b = (Estimate(float(np.quantile(series, share, method="inverted_cdf"))) for series in (a, b))
    figure = next(figure for figure in FIGURES if figure.name == name)
    return difference(figure, of_a, of_b, found)["conclusion"] == "unclear"


def _cells(found: dict[str, tuple[float, float]]) -> tuple[str, ...]:
    return tuple(f"{held:.3f} ({given:.2f})" if given else "- (0.00)" for held, given in found.values())


if __name__ == "__main__":
    main()
