import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from collector.statistics.autocorrelation import correlation
from collector.statistics.intervals import binomial_cdf, min_n, quantile_ranks, share_interval
from collector.statistics.percentiles import spread


@pytest.mark.parametrize(("p", "needed"), [(0.5, 6), (0.9, 36), (0.95, 72), (0.99, 368), (0.999, 3688)])
def test_a_percentile_needs_as_many_values_as_the_tables_say(p: float, needed: int) -> None:
    assert min_n(p, 0.95) == needed
    assert quantile_ranks(p, needed - 1, 0.95) is None
    ranks = quantile_ranks(p, needed, 0.95)
    assert ranks is not None
    assert ranks[1] == needed


@given(st.integers(1, 3000), st.floats(0.001, 0.999), st.data())
def test_the_binomial_distribution_is_scipys(n: int, p: float, data: st.DataObject) -> None:
    k = data.draw(st.integers(-1, n + 1))
    assert binomial_cdf(k, n, p) == pytest.approx(scipy_stats.binom.cdf(k, n, p), abs=1e-10)


@given(st.integers(1, 20_000), st.sampled_from([0.5, 0.9, 0.99]), st.sampled_from([0.9, 0.95, 0.99]))
def test_ranks_cover_with_the_confidence_and_none_tighter_does(n: int, p: float, confidence: float) -> None:
    ranks = quantile_ranks(p, n, confidence)
    if ranks is None:
        assert n < min_n(p, confidence)
        return
    lower, upper = ranks
    tail, below = (1 - confidence) / 2, scipy_stats.binom(n, p).cdf
    assert below(lower - 1) <= tail + 1e-9  # P(B < l)
    assert 1 - below(upper - 1) <= tail + 1e-9  # P(B >= u)
    assert below(lower) > tail - 1e-9
    assert upper == 1 or 1 - below(upper - 2) > tail - 1e-9


@given(st.integers(1, 5000), st.data(), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_interval_of_a_share_is_clopper_and_pearsons(n: int, data: st.DataObject, confidence: float) -> None:
    hits = data.draw(st.integers(0, n))
    found = share_interval(hits, n, confidence)
    expected = scipy_stats.binomtest(hits, n).proportion_ci(confidence, method="exact")
    assert found == pytest.approx((expected.low, expected.high), abs=1e-8)


def test_a_share_of_nothing_has_no_interval() -> None:
    assert share_interval(0, 0.4, 0.95) is None


@pytest.mark.parametrize(("p", "n"), list(itertools.product([0.5, 0.9, 0.95], [80, 400])))
def test_independent_responses_are_covered_as_often_as_the_ranks_promise(p: float, n: int) -> None:
    """2,000 seeded runs of exponential responses: within 2 points of the exact coverage of the chosen ranks."""
    name = {0.5: "p50", 0.9: "p90", 0.95: "p95"}[p]
    truth, random, rounds = -np.log(1 - p), np.random.default_rng(7), 2_000
    found = [spread(random.exponential(1.0, n))["ci"][name] for _ in range(rounds)]
    reported = [ends for ends in found if ends is not None]
    assert len(reported) >= 0.97 * rounds  # now and then a series looks as if it remembered
    covered = sum(ends[0] <= truth <= ends[1] for ends in reported if ends[0] is not None and ends[1] is not None)
    ranks = quantile_ranks(p, n, 0.95)
    assert ranks is not None
    exact = scipy_stats.binom.cdf(ranks[1] - 1, n, p) - scipy_stats.binom.cdf(ranks[0] - 1, n, p)
    assert covered / len(reported) == pytest.approx(exact, abs=0.02)


def test_independent_values_are_worth_their_number() -> None:
    worth = [correlation(np.random.default_rng(seed).exponential(1, 500)).tau for seed in range(200)]
    assert np.mean([tau == 1 for tau in worth]) > 0.95


@pytest.mark.parametrize("phi", [0.5, 0.9])
def test_the_worth_of_a_series_that_remembers_is_what_theory_says(phi: float) -> None:
    """AR(1): tau = (1 + phi) / (1 - phi)."""
    random, found = np.random.default_rng(1), []
    for _ in range(20):
        noise, series = random.normal(size=50_000), np.zeros(50_000)
        for i in range(1, len(series)):
            series[i] = phi * series[i - 1] + noise[i]
        found.append(correlation(series).tau)
    assert np.median(found) == pytest.approx((1 + phi) / (1 - phi), rel=0.1)


def test_a_short_series_that_remembers_has_no_interval_and_says_why() -> None:
    walk = np.cumsum(np.random.default_rng(2).normal(size=300)) + 100
    found = spread(walk)
    assert set(found["ci"].values()) == {None}
    assert found["no_interval"] is not None
    assert "tau" in found["no_interval"]
    assert found["needs_n"]["p50"] > 300


def test_an_interval_is_wider_where_observations_are_correlated() -> None:
    random = np.random.default_rng(3)
    blocks = np.repeat(random.exponential(1, 2_000), 10)
    alone = random.permutation(blocks)
    ends = [spread(series)["ci"]["p50"] for series in (blocks, alone)]
    assert ends[0] is not None
    assert ends[1] is not None
    (low, high), (inner_low, inner_high) = ends[0], ends[1]
    assert low is not None and high is not None and inner_low is not None and inner_high is not None  # noqa: PT018
    assert high - low > 2 * (inner_high - inner_low)
    assert spread(blocks)["n_effective"] == pytest.approx(2_000, rel=0.3)


def test_an_upper_end_among_the_infinite_is_infinite_and_a_lower_one_is_no_interval() -> None:
    values = np.random.default_rng(4).exponential(1, 95)
    found = spread(values, infinite=5)
    ends = found["ci"]["p90"]
    assert ends is not None
    assert ends[0] is not None
    assert ends[1] is None
    assert found["p99"] is None
    assert spread(values[:40], infinite=60)["ci"]["p90"] is None
