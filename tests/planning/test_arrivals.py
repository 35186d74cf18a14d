import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.errors import UsageError
from loadgen.options import ArrivalOptions
from loadgen.planning.arrivals import plan_arrivals

rates = st.floats(0.01, 50_000)
processes = st.sampled_from(["constant", "poisson", "gamma"])


@given(processes, rates, st.integers(1, 500), st.integers(0, 9))
def test_arrivals_ascend_from_time_zero_and_are_as_many_as_asked(process: str, rate: float, n: int, seed: int) -> None:
    times = plan_arrivals(ArrivalOptions(process, rate, seed=seed), n)
    assert len(times) == n
    assert times[0] >= 0
    assert (np.diff(times) >= 0).all()


@given(processes, rates, st.floats(0.01, 5.0))
def test_a_duration_holds_every_arrival_before_its_end_and_none_after(process: str, rate: float, over_s: float) -> None:
    rate = min(rate, 2_000)
    times = plan_arrivals(ArrivalOptions(process, rate, duration_s=over_s), 10)
    assert (times < over_s * 1e9 + 1).all()
    longer = plan_arrivals(ArrivalOptions(process, rate, duration_s=over_s * 2), 10)
    assert len(longer) >= len(times)
    if process == "constant":
        assert len(times) == pytest.approx(over_s * rate, abs=1)


@given(rates, st.integers(1, 100_000))
def test_a_constant_cadence_has_no_drift(rate: float, i: int) -> None:
    times = plan_arrivals(ArrivalOptions(rate=rate), i + 1)
    assert abs(times[i] - i * 1e9 / rate) <= max(1.0, times[i] * 1e-15)


@given(processes, st.integers(0, 99))
def test_a_seed_gives_the_same_times_again(process: str, seed: int) -> None:
    options = ArrivalOptions(process, 7.0, 0.5, seed=seed)
    assert (plan_arrivals(options, 50) == plan_arrivals(options, 50)).all()


def test_another_seed_gives_other_times() -> None:
    one, two = (plan_arrivals(ArrivalOptions("poisson", 7.0, seed=seed), 50) for seed in (1, 2))
    assert (one != two).any()


@pytest.mark.parametrize(
    ("process", "burstiness", "variation"),
    [("poisson", 1.0, 1.0), ("gamma", 1.0, 1.0), ("gamma", 0.25, 2.0), ("gamma", 4.0, 0.5)],
)
def test_gaps_have_the_asked_mean_and_the_spread_of_their_process(
    process: str, burstiness: float, variation: float
) -> None:
    gaps = np.diff(plan_arrivals(ArrivalOptions(process, 20.0, burstiness, seed=3), 200_000)) / 1e9
    assert gaps.mean() == pytest.approx(1 / 20.0, rel=0.02)
    assert gaps.std() / gaps.mean() == pytest.approx(variation, rel=0.03)  # of gamma: 1 / sqrt(shape)


def test_random_gaps_are_not_rescaled_to_end_on_time() -> None:
    ends = [plan_arrivals(ArrivalOptions("poisson", 10.0, seed=seed), 100)[-1] / 1e9 for seed in range(200)]
    assert np.std(ends) == pytest.approx(1.0, rel=0.2)  # the sum of 100 gaps of 0.1 s: sqrt(100) * 0.1 s


def test_a_rate_of_inf_has_everything_due_at_once() -> None:
    assert plan_arrivals(ArrivalOptions(), 3).tolist() == [0, 0, 0]


def test_a_trace_starts_at_its_first_timestamp_and_can_be_sped_up() -> None:
    options = ArrivalOptions("trace", trace_speedup=2.0)
    assert plan_arrivals(options, 3, [10.0, 10.5, 14.0]).tolist() == [0, 250_000_000, 2_000_000_000]


def test_a_trace_that_is_repeated_for_a_duration_leaves_a_mean_gap_at_the_seam() -> None:
    times = plan_arrivals(ArrivalOptions("trace", duration_s=6.5), 0, [5.0, 6.0, 7.0]) / 1e9
    assert times.tolist() == [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("timestamps", [[1.0], [2.0, 2.0]])
def test_a_trace_without_a_gap_cannot_be_repeated(timestamps: list[float]) -> None:
    with pytest.raises(UsageError, match="--duration"):
        plan_arrivals(ArrivalOptions("trace", duration_s=6.5), 0, timestamps)
