import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from collector.statistics.stationarity import judge, mann_kendall_p, sen_slope, truncation

Floats = NDArray[np.float64]


def by_the_definition(batches: Floats) -> int:
    """MSER's statistic of every cut, one by one."""
    n = len(batches)
    return int(np.argmin([batches[d:].var() / (n - d) for d in range(n // 2 + 1)]))


@given(st.integers(20, 120), st.integers(0, 10_000), st.floats(0, 5))
def test_the_cut_is_where_msers_statistic_is_least(n: int, seed: int, height: float) -> None:
    batches = np.random.default_rng(seed).exponential(1, n) + 1e6
    batches[: n // 4] += height
    assert truncation(batches) == by_the_definition(batches)


@given(st.lists(st.floats(-100, 100), min_size=6, max_size=30, unique=True))
def test_the_trend_test_is_the_one_of_kendalls_tau(values: list[float]) -> None:
    """Kendall's score is tau m (m - 1) / 2, and its variance m (m - 1) (2 m + 5) / 18."""
    m = len(values)
    score = abs(scipy_stats.kendalltau(range(m), values).statistic) * m * (m - 1) / 2
    deviations = max(score - 1, 0) / np.sqrt(m * (m - 1) * (2 * m + 5) / 18)
    assert mann_kendall_p(np.array(values)) == pytest.approx(2 * scipy_stats.norm.sf(deviations), rel=1e-6)


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30))
def test_the_slope_is_scipys(values: list[float]) -> None:
    assert sen_slope(np.array(values)) == pytest.approx(scipy_stats.theilslopes(values).slope, abs=1e-9)


def test_a_cold_start_is_named_by_its_share_and_nothing_is_cut() -> None:
    latency_s = np.random.default_rng(1).exponential(1, 1000)
    latency_s[:100] *= 5
    found = judge(latency_s)
    assert found["n"] == 1000
    assert found["transient"] == pytest.approx(100, abs=10)
    assert found["transient_share"] == found["transient"] / 1000
    assert found["warning"] is not None
    assert "transient" in found["warning"]


@pytest.mark.parametrize(("direction", "word"), [(1, "rise"), (-1, "fall")])
def test_a_drift_is_named_with_its_direction(direction: int, word: str) -> None:
    places = np.arange(2000) / 2000
    found = judge((1 + places[::direction]) * np.random.default_rng(2).uniform(0.8, 1.2, 2000))
    assert found["drift_change"] is not None
    assert np.sign(found["drift_change"]) == direction
    assert found["warning"] is not None
    assert f"Responses {word} by" in found["warning"]


def test_a_queue_that_only_grows_drifts() -> None:
    random = np.random.default_rng(3)
    steps = random.exponential(1.0, 2000) - random.exponential(1 / 1.3, 2000)
    waits = np.cumsum(steps) - np.minimum.accumulate(np.cumsum(steps))
    warning = judge(waits + random.exponential(1.0, 2000))["warning"]
    assert warning is not None
    assert "rise" in warning


def test_a_drift_too_small_to_matter_is_in_the_figures_and_no_warning() -> None:
    places = np.arange(20_000) / 20_000
    found = judge(1 + 0.03 * places + np.random.default_rng(4).uniform(-0.02, 0.02, 20_000))
    assert found["drift_p_value"] is not None
    assert found["drift_p_value"] < 1e-6
    assert found["warning"] is None


@pytest.mark.parametrize("draw", ["exponential", "lognormal", "pareto"])
@pytest.mark.parametrize("n", [100, 1000])
def test_steady_responses_are_seldom_called_anything_else(draw: str, n: int) -> None:
    def series(seed: int) -> Floats:
        uniform = np.random.default_rng(seed).uniform(size=n)
        quantile = {
            "exponential": scipy_stats.expon,
            "lognormal": scipy_stats.lognorm(1),
            "pareto": scipy_stats.pareto(2.5),
        }
        return np.asarray(quantile[draw].ppf(uniform))

    assert np.mean([judge(series(seed))["warning"] is not None for seed in range(200)]) <= 0.05


@pytest.mark.parametrize("series", [[], [1.0], [2.0] * 99, [0.0] * 500])
def test_what_is_too_short_or_constant_is_not_judged(series: list[float]) -> None:
    found = judge(np.array(series))
    assert (found["n"], found["transient"], found["transient_share"], found["warning"]) == (len(series), 0, 0.0, None)


def test_where_the_rate_changed_too_nobody_is_told_to_lower_it() -> None:
    rising = np.random.default_rng(5).exponential(1, 600) + np.linspace(0, 5, 600)
    plain, changing = judge(rising)["warning"], judge(rising, changing=True)["warning"]
    assert plain is not None
    assert changing is not None
    assert "Lower the rate" in plain
    assert "Lower the rate" not in changing
    assert "over time" in changing
