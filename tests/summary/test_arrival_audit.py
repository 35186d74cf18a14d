from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import special
from scipy import stats as scipy_stats

from collector.records.record import Outcome
from collector.summary.arrival_audit import ALPHA, audit, distance_p, gap_distance, kolmogorov_tail
from collector.summary.result import ArrivalAudit
from collector.summary.summary import RunInfo
from loadgen.options import ArrivalOptions
from loadgen.planning.arrivals import plan_arrivals
from loadgen.planning.rate_series import RateSeries
from tests.support.runs import START, info, records, times_of

SERIES = ((0.0, 1.0), (50.0, 9.0), (50.0, 0.0), (60.0, 0.0), (200.0, 4.0))


@given(st.floats(0, 5))
def test_the_tail_of_kolmogorovs_distribution_is_scipys(x: float) -> None:
    assert kolmogorov_tail(x) == pytest.approx(special.kolmogorov(x), abs=1e-12)


@pytest.mark.parametrize("n", [10, 30, 100, 1000])
@pytest.mark.parametrize("share", [0.5, 0.05, 0.001])
def test_the_chance_of_a_distance_is_nearly_the_exact_one(n: int, share: float) -> None:
    assert distance_p(float(scipy_stats.kstwo.isf(share, n)), n) == pytest.approx(share, rel=0.25)


@pytest.mark.parametrize("n", [50, 5000])  # all gaps looked at, and a table of the distribution
@pytest.mark.parametrize("shape", [0.5, 1.0, 4.0])
def test_the_distance_is_scipys_where_nanoseconds_do_not_matter(shape: float, n: int) -> None:
    gaps = np.random.default_rng(5).gamma(shape, 100 / shape, n)
    found = gap_distance(np.cumsum(gaps), shape, lambda t: t / 100)
    expected = scipy_stats.kstest(gaps / 100, "gamma", args=(shape, 0, 1 / shape)).statistic
    assert found == pytest.approx(expected, abs=1e-5)


def planned(options: ArrivalOptions, count: int = 2000) -> RunInfo:
    """Facts of a plan by our own arrival process; nothing of it was sent."""
    arrivals_ns = plan_arrivals(options, count)
    known = info([0.0] * len(arrivals_ns), [None] * len(arrivals_ns), rate=options.rate)
    return replace(
        known,
        scheduled_ns=START + arrivals_ns,
        arrival=options.process,
        burstiness=options.burstiness,
        rate_series=options.rate_series,
    )


def audited(known: RunInfo) -> ArrivalAudit:
    return audit(times_of(records(), known), known)


def chances(options: list[ArrivalOptions], count: int = 2000) -> NDArray[np.float64]:
    return np.array([audited(planned(each, count))["p_value"] for each in options], dtype=np.float64)


@pytest.mark.parametrize(("process", "burstiness"), [("poisson", 1.0), ("gamma", 0.3), ("gamma", 8.0)])
def test_our_own_arrivals_are_judged_uniformly_over_seeds(process: str, burstiness: float) -> None:
    p = chances([ArrivalOptions(process, 50.0, burstiness, seed=seed) for seed in range(200)])
    assert scipy_stats.kstest(p, "uniform").pvalue > 0.001
    assert scipy_stats.kstest(p**2, "uniform").pvalue < 0.001  # the test above would see as much


@pytest.mark.parametrize(("process", "burstiness"), [("poisson", 1.0), ("gamma", 0.01), ("gamma", 1e8)])
def test_rounding_to_nanoseconds_is_no_fault_of_an_arrival_process(process: str, burstiness: float) -> None:
    """At a million a second a nanosecond is a thousandth of a gap, and most gaps of gamma 0.01 are 0 ns."""
    known = planned(ArrivalOptions(process, 1e6, burstiness, seed=3), 200_000)
    assert audited(known)["warning"] is None


def test_a_rate_that_was_not_asked_for_is_found_and_named() -> None:
    known = replace(planned(ArrivalOptions("poisson", 2.0)), asked_rate=2.4)
    found = audited(known)
    assert found["p_value"] is not None
    assert found["p_value"] < ALPHA
    assert found["warning"] is not None
    assert "a poisson process at 2.40/s" in found["warning"]


def test_gaps_that_were_rescaled_to_an_exact_total_or_evened_out_are_no_poisson() -> None:
    known = planned(ArrivalOptions("constant", 2.0))
    assert audited(replace(known, arrival="poisson"))["warning"] is not None
    assert audited(replace(planned(ArrivalOptions("gamma", 2.0, 2.0)), arrival="poisson"))["warning"] is not None


@pytest.mark.parametrize(
    ("arrival", "rate", "n"),
    [("constant", 1.0, 50), ("trace", 1.0, 50), ("poisson", float("inf"), 50), ("poisson", 1.0, 9)],
)
def test_only_planned_poisson_and_gamma_gaps_are_judged(arrival: str, rate: float, n: int) -> None:
    known = replace(info([float(i) for i in range(n)], [None] * n, rate=rate), arrival=arrival)
    found = audited(known)
    assert (found["gaps"], found["ks_distance"], found["p_value"], found["warning"]) == (0, None, None, None)
    assert (found["per_second"] is None) == (rate == float("inf"))


def test_gaps_of_a_rate_that_changes_are_judged_in_the_time_of_its_area() -> None:
    mean = RateSeries(SERIES).mean_rate
    options = [ArrivalOptions("poisson", mean, seed=seed, duration_s=200.0, rate_series=SERIES) for seed in range(200)]
    assert scipy_stats.kstest(chances(options), "uniform").pvalue > 0.001
    blind = [audited(replace(planned(each), rate_series=()))["p_value"] for each in options[:20]]
    assert max(p for p in blind if p is not None) < ALPHA


def test_the_second_where_sends_were_furthest_from_the_plan_is_named() -> None:
    known = info([0.1, 0.5, 1.5, 3.5, 3.6], [0.1, 0.5, 4.5, 4.5, None])
    found = audit(times_of(records((0, 0.1, 1, Outcome.OK), (1, 0.5, 1, Outcome.OK)), known), known)
    assert found["per_second"] == {"seconds": 4, "worst": {"at_s": 3, "planned": 2, "sent": 0}}


@pytest.mark.parametrize("burstiness", [0.0, -1.0, float("nan"), 1e-320, 1e308])
@pytest.mark.parametrize("rate", [0.0, -3.0, float("nan"), 1e-300, 1e300])
def test_a_damaged_run_has_no_judgement_rather_than_an_exception(burstiness: float, rate: float) -> None:
    known = replace(planned(ArrivalOptions("poisson", 2.0)), arrival="gamma", burstiness=burstiness, asked_rate=rate)
    with np.errstate(all="ignore"):
        audited(known)
    for series in (((0.0, 1.0),), ((5.0, 1.0), (0.0, float("nan")))):
        audited(replace(known, arrival="poisson", rate_series=series))
