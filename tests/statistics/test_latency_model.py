import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from collector.statistics.latency_model import Affine, fit

MS = st.floats(0.1, 1e4)


def test_points_on_a_line_give_that_line() -> None:
    model = fit([25.0, 45.0, 65.0], [1.0, 5.0, 9.0])
    assert (model.fixed_ms, model.unit_ms) == pytest.approx((20.0, 5.0))
    assert model.latency_ms([0.0, 100.0]) == pytest.approx([20.0, 520.0])


def test_a_cost_below_zero_is_none() -> None:
    assert fit([1.0, 10.0, 100.0], [1.0, 2.0, 3.0]).fixed_ms == 0
    assert fit([5.0, 4.0, 3.0], [1.0, 2.0, 3.0]) == Affine(4.0, 0.0)


@given(st.lists(st.tuples(MS, st.floats(1, 1e4)), min_size=3, max_size=12))
def test_the_fit_is_as_good_as_scipys_least_squares_of_coefficients_of_0_or_more(
    pairs: list[tuple[float, float]],
) -> None:
    latency_ms, units = map(np.array, zip(*pairs, strict=True))
    model = fit(latency_ms, units)
    _, best = optimize.nnls(np.stack([np.ones(len(units)), units], axis=1), latency_ms)
    assert model.fixed_ms >= 0
    assert model.unit_ms >= 0
    found = float(np.linalg.norm(latency_ms - model.latency_ms(units)))
    assert found == pytest.approx(best, rel=1e-6, abs=1e-6 * float(np.linalg.norm(latency_ms)))
