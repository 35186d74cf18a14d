import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from collector.statistics.percentiles import percentile, rank, seconds, spread


@pytest.mark.parametrize(
    ("p", "n", "expected"),
    [
        (0.5, 1, 1),
        (0.5, 4, 2),
        (0.5, 5, 3),
        (0.95, 20, 19),
        (0.9, 10, 9),
        (0.99, 100, 99),
        (0.99, 101, 100),
        (0.999, 1000, 999),
        (0.07, 100, 7),  # 7.000000000000001 in floats
        (0.29, 100, 29),  # 28.999999999999996 in floats
        (1.0, 7, 7),
    ],
)
def test_the_rank_is_the_exact_ceiling_of_p_times_n(p: float, n: int, expected: int) -> None:
    assert rank(p, n) == expected


@pytest.mark.parametrize("p", [0.0, -0.1, 1.01, 99.0])
def test_a_quantile_outside_zero_to_one_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match="is in"):
        rank(p, 10)


@given(
    st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=60),
    st.sampled_from([0.125, 0.25, 0.5, 0.75, 0.875, 1.0]),  # exact in binary, so numpy's own rounding has no say
)
def test_percentiles_agree_with_the_inverted_distribution_function_of_numpy(values: list[float], p: float) -> None:
    assert percentile(np.array(values), p) == np.quantile(values, p, method="inverted_cdf")


@given(st.lists(st.floats(0, 1e9), max_size=30), st.integers(0, 30), st.sampled_from([0.01, 0.5, 0.9, 0.99, 1.0]))
def test_infinite_values_rank_after_every_finite_one(values: list[float], infinite: int, p: float) -> None:
    every = sorted(values) + [float("inf")] * infinite
    chosen = every[rank(p, len(every)) - 1] if every else float("inf")
    assert percentile(np.array(values), p, infinite) == (None if chosen == float("inf") else chosen)


def figures(values: NDArray[np.float64], infinite: int = 0) -> dict[str, object]:
    """A spread without its intervals, which tests/statistics/test_intervals.py looks at."""
    kept = ("mean", "p50", "p90", "p95", "p99", "p99_9", "max")
    return {name: value for name, value in spread(values, infinite).items() if name in kept}


def test_a_spread_of_ten_values_is_what_a_hand_computes() -> None:
    found = figures(np.array([10.0, 9, 8, 7, 6, 5, 4, 3, 2, 1]))
    assert found == {"mean": 5.5, "p50": 5, "p90": 9, "p95": 10, "p99": 10, "p99_9": 10, "max": 10}


def test_one_infinite_value_of_ten_takes_the_upper_percentiles_and_leaves_the_mean_of_the_finite() -> None:
    found = figures(np.arange(1.0, 10.0), infinite=1)
    assert found == {"mean": 5.0, "p50": 5, "p90": 9, "p95": None, "p99": None, "p99_9": None, "max": None}


def test_an_empty_set_has_no_figure_at_all() -> None:
    found = spread(np.array([]))
    assert set(figures(np.array([])).values()) == {None}
    assert set(found["ci"].values()) == {None}


def test_nanoseconds_become_seconds() -> None:
    assert seconds(np.array([1_500_000_000, 0], dtype=np.int64)).tolist() == [1.5, 0.0]
