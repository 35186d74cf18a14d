from dataclasses import replace

import numpy as np
import pytest

from collector.records.record import Outcome
from collector.summary.slo import attainment, linear_slo_ms, linear_unit_ms, units
from collector.summary.summary import RunInfo, RunNotes, summarise
from tests.support.runs import START, S, info, jobs, records, times_of

NAN = float("nan")


@pytest.mark.parametrize(
    ("width", "height", "frames", "steps", "expected"),
    [
        (1024, 1024, 1, 50, 4096 * 50),
        (640, 480, 80, 10, 1200 * 80 * 10),
        (8, 8, 1, 1, 1),  # fewer than 256 pixels are one unit
        (NAN, 512, 2, 3, 6),
        (0, 0, 0, 0, 1),
        (256, 1, NAN, NAN, 1),
        (16, 24, 1, 1, 1.5),
    ],
)
def test_units_are_pixels_by_256_times_frames_times_steps_and_what_is_unknown_is_one(
    width: float, height: float, frames: float, steps: float, expected: float
) -> None:
    assert units([width], [height], [frames], [steps]).tolist() == [expected]


def test_the_unit_is_the_median_over_warm_ups_as_an_order_statistic() -> None:
    assert linear_unit_ms([10, 40, 900, 60], [10, 10, 10, 10]) == 4.0
    assert linear_unit_ms([], []) is None


def test_a_request_keeps_its_own_target_and_the_others_get_the_linear_one() -> None:
    assert linear_slo_ms([NAN, 700, NAN], [2, 2, 10], unit_ms=1.5, scale=3.0).tolist() == [9.0, 700.0, 45.0]


def with_targets(known: RunInfo, *slo_ms: float) -> RunInfo:
    return replace(known, slo_enabled=True, slo_ms=np.array(slo_ms))


def test_attainment_counts_failed_unended_lost_and_unsent_requests_as_not_met() -> None:
    known = with_targets(info([0] * 7, [0, 0, 0, 0, 0, 0, None]), 1000, 999, NAN, 5000, 5000, 5000, 5000)
    found = records(
        (0, 0, 1, Outcome.OK),  # to the millisecond: met
        (1, 0, 1, Outcome.OK),  # one too late
        (2, 0, 1, Outcome.OK),  # has no target
        (3, 0, 1, Outcome.ERROR),
        (4, 0, 1, Outcome.TIMEOUT),
    )  # 5 is lost, 6 was never sent
    reached = attainment(times_of(found, known), known)
    assert (reached.met, reached.requests) == (1, 6)
    assert reached.rate == 1 / 6


def test_a_target_is_held_against_response_or_service_as_latency_from_says() -> None:
    known = with_targets(info([0], [5]), 2000)
    found = records((0, 5, 6, Outcome.OK))
    assert attainment(times_of(found, known), known).met == 0
    assert attainment(times_of(found, known), replace(known, latency_from="sent")).met == 1


def test_an_interrupted_run_is_judged_on_what_was_due_before_the_stop() -> None:
    known = with_targets(info([0, 1, 2, 3], [0, None, None, None]), 5000, 5000, 5000, 5000)
    known = replace(known, stopped_ns=START + S + S // 2)
    assert summarise(records((0, 0, 1, Outcome.OK)), known, RunNotes())["slo_attainment_rate"] == 0.5


def test_without_any_target_the_rate_is_unknown_rather_than_zero() -> None:
    figures = summarise(records((0, 0, 1, Outcome.OK)), with_targets(info([0], [0]), NAN), RunNotes())
    assert figures["slo_attainment_rate"] is None
    counts = {"enabled": True, "requests": 0, "ci": None, "n_effective": 0, "undecided": 0, "attainment_upper": None}
    assert figures["slo"] == {**counts, "by_class": [], "over_time": []}


@pytest.mark.parametrize(
    ("slo_ms", "latency_from", "met", "undecided"),
    [
        (7000, "scheduled", 1, 0),  # done at 8, due at 1: exactly met
        (6999, "scheduled", 0, 1),
        (5000, "scheduled", 0, 1),  # completed 2 s earlier at most, so at the early end it is exactly met
        (4999, "scheduled", 0, 0),
        (6000, "sent", 1, 0),
        (5999, "sent", 0, 1),
        (3999, "sent", 0, 0),
        (NAN, "scheduled", 0, 0),
    ],
)
def test_a_target_inside_what_is_known_of_a_completion_is_undecided_and_not_met(
    slo_ms: float, latency_from: str, met: int, undecided: int
) -> None:
    # Not yet at 4.5, completed at 6.5, content at 8: it was done between 6 and 8.
    known = replace(with_targets(info([1], [2]), slo_ms), latency_from=latency_from)
    figures = summarise(jobs((2, 4.5, 6.5, 8)), known, RunNotes())
    counted = 0 if np.isnan(slo_ms) else 1
    assert (figures["slo_met_success"], figures["slo"]["undecided"]) == (met, undecided)
    assert figures["slo_attainment_rate"] == (met if counted else None)
    assert figures["slo"]["attainment_upper"] == (met + undecided if counted else None)


def test_a_failed_job_is_never_undecided() -> None:
    found = jobs((0, 1, 5, 6))
    found["outcome"] = Outcome.ERROR
    figures = summarise(found, with_targets(info([0], [0]), 3000), RunNotes())
    assert (figures["slo"]["undecided"], figures["slo"]["attainment_upper"]) == (0, 0.0)
