"""The moving-block bootstrap, and the intervals of differences that come of it."""

import math

import numpy as np
import pytest

from collector.comparison.difference import Intervals, difference, worsening
from collector.comparison.figures import FIGURES, Estimate
from collector.statistics.bootstrap import Resamples, block_length, percentile_interval
from collector.statistics.intervals import difference_interval
from scripts.interval_coverage.differences import cover

RANDOM = np.random.default_rng(5)


@pytest.mark.parametrize(("n", "tau", "length"), [(1, 1, 1), (1000, 1, 8), (1000, 10, 34), (8, 100, 8)])
def test_a_block_is_as_long_as_the_memory_asks_for(n: int, tau: float, length: int) -> None:
    assert block_length(n, tau) == length


@pytest.mark.parametrize("n", [50, 5000])
def test_the_percentiles_of_a_resample_are_those_of_the_requests_it_drew(n: int) -> None:
    values = RANDOM.exponential(1, n)
    values[RANDOM.random(n) < 0.1], values[RANDOM.random(n) < 0.05] = np.nan, np.inf
    drawn = Resamples.draw(n, 7, np.random.default_rng(1), rounds=30)
    found, totals = drawn.percentiles(values, (0.07, 0.5, 0.99)), drawn.totals(np.ones(n))
    for k, counts in enumerate(drawn.counts.astype(int)):
        whole = np.repeat(values, counts[np.arange(n) * len(counts) // n])
        assert totals[k] == len(whole)
        ordered = np.sort(whole[~np.isnan(whole)])
        ranks = [-(-len(ordered) * hundredths // 100) for hundredths in (7, 50, 99)]
        assert found[:, k].tolist() == [ordered[rank - 1] for rank in ranks]


def test_blocks_are_drawn_whole_from_a_circle() -> None:
    drawn = Resamples.draw(100, 10, np.random.default_rng(1), rounds=200)
    assert (drawn.counts.sum(axis=1) == 100).all()
    changes = (np.diff(drawn.counts, axis=1, append=drawn.counts[:, :1]) != 0).sum(axis=1)
    assert changes.max() <= 20  # ten blocks have twenty edges
    assert drawn.counts.mean(axis=0) == pytest.approx(1, abs=0.4)


def test_nothing_observed_has_no_percentile() -> None:
    assert np.isnan(Resamples.draw(9, 1, RANDOM, rounds=5).percentiles(np.full(9, np.nan), (0.5,))).all()


def test_the_ends_are_ranks_of_the_resamples_and_what_is_not_defined_may_be_anything() -> None:
    values = RANDOM.permutation(np.arange(1.0, 2000))
    assert percentile_interval(values, 0.95) == (50, 1950)
    assert percentile_interval(values, 0.99) == (10, 1990)
    assert percentile_interval(np.where(values > 1990, np.nan, values), 0.95) == (41, 1950)
    assert percentile_interval(np.where(values > 1900, np.nan, values), 0.95) == (-math.inf, math.inf)


def test_intervals_of_two_estimates_make_one_of_their_difference() -> None:
    """5 - sqrt(3^2 + 3^2) and 5 + sqrt(4^2 + 2^2)."""
    assert difference_interval(10, (8, 13), 15, (12, 19)) == pytest.approx((0.757, 9.472), abs=1e-3)
    assert difference_interval(10, (8, math.inf), 15, (12, 19))[0] == -math.inf


def test_a_short_run_gets_a_wider_interval_around_the_same_change() -> None:
    """Ratios 1.1 to 1.331 around 1.21 in steps of 1.1; 1.5 times as wide that is 1.1 ** 0.5 to 1.1 ** 3.5."""
    found = difference(
        FIGURES[0], Estimate(1.0), Estimate(1.21), Intervals((0.1, 0.331), (0.1, 0.331), width_factor=1.5)
    )
    assert found["change_ci"] == pytest.approx((1.1**0.5 - 1, 1.1**3.5 - 1))
    assert found["difference_ci"] == pytest.approx((0.21 - 1.5 * 0.11, 0.21 + 1.5 * 0.121))
    assert found["conclusion"] == "worse"


@pytest.mark.parametrize(
    ("name", "interval", "conclusion", "least"),
    [
        ("response_p50", (0.1, 0.3), "worse", 0.1),
        ("response_p50", (-0.3, -0.1), "better", -0.3),
        ("response_p50", (-0.1, 0.3), "unclear", -0.1),
        ("throughput", (-0.3, -0.1), "worse", 0.1),
        ("attainment", (0.1, 0.3), "better", -0.3),
        ("error_share", (0.1, 0.3), "worse", 0.1),
    ],
)
def test_each_figure_knows_which_way_is_worse(
    name: str, interval: tuple[float, float], conclusion: str, least: float
) -> None:
    what = next(known for known in FIGURES if known.name == name)
    found = difference(what, Estimate(1.0), Estimate(1.0), Intervals(interval, interval))
    assert found["conclusion"] == conclusion
    assert worsening(found)[1] == least


@pytest.mark.parametrize(("load", "n", "pairs"), [(None, 400, 120), (0.7, 8_000, 40)])
def test_of_equal_runs_the_interval_covers_no_difference_as_often_as_it_says(
    load: float | None, n: int, pairs: int
) -> None:
    """Independent responses, and an M/M/1 queue at a load of 0.7. Seeded; 0.95, give or take 3 standard errors."""
    found = cover(load, n, pairs, rounds=199)
    for name in ("response_p50", "response_p90"):
        covered, given = found[name]
        assert given > 0.9
        assert covered == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / pairs))
