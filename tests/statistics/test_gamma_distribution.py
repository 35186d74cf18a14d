import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from collector.statistics.gamma_distribution import gamma_cdf


@given(st.floats(0.01, 1e4), st.lists(st.floats(1e-6, 0.999999), min_size=1, max_size=20))
def test_the_gamma_distribution_is_scipys(shape: float, shares: list[float]) -> None:
    x = scipy_stats.gamma.ppf(np.array(shares), shape)
    assert gamma_cdf(x, shape) == pytest.approx(scipy_stats.gamma.cdf(x, shape), abs=1e-9)


@pytest.mark.parametrize("shape", [1.01e4, 1e6, 1e9])
def test_very_large_shapes_are_good_to_a_millionth(shape: float) -> None:
    x = scipy_stats.gamma.ppf(np.linspace(0.0001, 0.9999, 201), shape)
    assert gamma_cdf(x, shape) == pytest.approx(scipy_stats.gamma.cdf(x, shape), abs=1e-6)


def test_nothing_lies_below_zero_and_the_exponential_is_shape_one() -> None:
    x = np.array([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 50.0])
    assert gamma_cdf(x, 1.0) == pytest.approx(1 - np.exp(-np.maximum(x, 0)), abs=1e-14)
