"""A rate that changes: where its arrivals fall, and what is said of series that cannot be used."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from loadgen.cli import bench_options, load_flags
from loadgen.cli.main import _Parser
from loadgen.errors import UsageError
from loadgen.options import ArrivalOptions, BenchOptions
from loadgen.planning.arrivals import plan_arrivals
from loadgen.planning.rate_series import RateSeries, read_series

series = st.lists(st.tuples(st.floats(0.1, 30), st.floats(0, 20)), min_size=1, max_size=6).map(
    lambda steps: RateSeries(
        ((0.0, 3.0), *zip(np.cumsum([s for s, _ in steps]).tolist(), [r for _, r in steps], strict=True))
    )
)


def of(made: RateSeries, process: str = "constant", seed: int = 0, max_requests: int | None = None) -> ArrivalOptions:
    return ArrivalOptions(
        process, made.mean_rate, seed=seed, duration_s=made.end_s, rate_series=made.points, max_requests=max_requests
    )


def options(*words: str) -> BenchOptions:
    parser = _Parser()
    load_flags.add_arguments(parser)
    return bench_options.read_options(parser.parse_args(["--task", "t2i", "--dataset", "random", *words]))


@pytest.mark.parametrize(
    ("text", "times_s"),
    [
        ("0:2,2:2", [0, 0.5, 1, 1.5]),
        ("0:0,4:2", [0, 2, 8**0.5, 12**0.5]),  # t^2 / 4 = 0, 1, 2, 3
        ("0:2,4:0", [0, 4 - 12**0.5, 4 - 8**0.5, 2]),  # the same, from its end
        ("0:1,2:1,2:2,3:2", [0, 1, 2, 2.5]),  # a jump
        ("0:1,1:1,1:0,5:0,5:1,7:1", [0, 5, 6]),  # a pause: request 1 is due when it is over
    ],
)
def test_constant_arrivals_come_where_the_area_reaches_whole_numbers(text: str, times_s: list[float]) -> None:
    times = plan_arrivals(of(read_series(text)), 0) / 1e9
    assert times == pytest.approx(times_s, abs=1e-8)


@given(series, st.integers(0, 99), st.sampled_from(["constant", "poisson"]))
def test_arrivals_ascend_and_none_is_after_the_last_point(made: RateSeries, seed: int, process: str) -> None:
    times = plan_arrivals(of(made, process, seed), 0) if made.expected > 30 else np.zeros(1, np.int64)
    assert (np.diff(times) >= 0).all()
    assert times[0] >= 0
    assert times[-1] <= made.end_s * 1e9 + 1


@given(series, st.floats(0, 0.999))
def test_the_area_up_to_where_an_area_is_reached_is_that_area(made: RateSeries, share: float) -> None:
    area = made.expected * share
    reached = float(made.reached_s(np.array([area]))[0])
    grid = np.linspace(0, reached, 20_001)
    times, rates = np.array(made.points).T
    level = np.interp(grid, times, rates)
    assert np.sum((level[1:] + level[:-1]) / 2 * np.diff(grid)) == pytest.approx(area, abs=1e-3 * made.expected)


def test_poisson_arrivals_have_unit_gaps_in_the_time_of_the_area() -> None:
    made = RateSeries(((0.0, 5.0), (100.0, 100.0), (200.0, 0.0)))
    times_s = plan_arrivals(of(made, "poisson", seed=4), 0) / 1e9
    first = times_s < 100
    area = np.where(  # by hand: 5 t + 0.475 t^2, then 5250 + 100 u - u^2 / 2
        first, 5 * times_s + 0.475 * times_s**2, 5250 + 100 * (times_s - 100) - (times_s - 100) ** 2 / 2
    )
    assert abs(len(times_s) - 10_250) < 5 * 10_250**0.5
    assert kstest(np.diff(area), "expon").pvalue > 0.001


def test_a_file_has_a_point_a_line(tmp_path: Path) -> None:
    path = tmp_path / "series.txt"
    path.write_text("# a ramp\n0:1\n\n60:5  # the top\n120:1\n")
    assert read_series(str(path)).points == ((0, 1), (60, 5), (120, 1))
    assert read_series("0:1,60:5,120:1").points == ((0, 1), (60, 5), (120, 1))


def test_a_bad_line_of_a_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "series.txt"
    path.write_text("0:1\nsixty:5\n")
    with pytest.raises(UsageError, match=r"series.txt:2: 'sixty:5'"):
        read_series(str(path))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0:1", "two points"),
        ("5:1,6:1", "at second 5"),
        ("0:1,9:1,8:1", "second 8 comes after second 9"),
        ("0:1,9:-1", "9:-1"),
        ("0:0,9:0", "rate is always 0"),
        ("0:1,x:2", "'x:2'"),
        ("0:1,5:inf", "'5:inf'"),
        ("0:1,,5:1", "''"),
        ("nosuchfile", "nosuchfile: No such file"),
    ],
)
def test_a_series_that_cannot_be_used_is_one_clear_line(text: str, says: str) -> None:
    with pytest.raises(UsageError, match="--rate-series") as fault:
        read_series(text)
    assert says in str(fault.value)
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--request-rate", "3"), "--request-rate"),
        (("--duration", "3"), "--duration"),
        (("--arrival", "gamma"), "gamma"),
        (("--arrival", "trace"), "trace"),
    ],
)
def test_a_series_excludes_other_ways_to_say_the_rate(words: tuple[str, ...], says: str) -> None:
    with pytest.raises(UsageError, match="--rate-series") as fault:
        options("--rate-series", "0:1,60:5", *words)
    assert says in str(fault.value)


def test_a_series_is_sent_whole_unless_num_prompts_is_given() -> None:
    whole, cut = (options("--rate-series", "0:1,60:5,120:1", *words) for words in ((), ("--num-prompts", "7")))
    assert len(plan_arrivals(whole.arrivals, 10)) == 360
    assert len(plan_arrivals(cut.arrivals, 10)) == 7
    assert whole.arrivals.rate == 3
    assert whole.latency_from == "scheduled"
