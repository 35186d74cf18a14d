import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from collector.process.live_figures import LiveFigures
from collector.records.record import RECORD, Outcome
from collector.statistics.percentiles import percentile
from tests.support.runs import START, S, records


def live(planned: int = 10, rate: float = 1.0, last_s: float = 9.0, latency_from: str = "sent") -> LiveFigures:
    return LiveFigures(
        planned=planned, asked_rate=rate, last_arrival_s=last_s, started_ns=START, latency_from=latency_from
    )


def test_before_anything_happened_nothing_is_known() -> None:
    found = live().snapshot(START - S, 0, finished=0)
    assert (found["elapsed_s"], found["done"], found["in_flight"]) == (0.0, 0, 0)
    assert {found["p50_s"], found["p99_s"], found["achieved_rate"], found["remaining_s"]} == {None}


def test_counts_tell_done_failed_and_in_flight_apart() -> None:
    figures = live()
    figures.add(records((0, 0, 1, Outcome.OK), (1, 1, 2, Outcome.ERROR)))
    figures.add(records((2, 2, 3, Outcome.OK)))
    found = figures.snapshot(START + 4 * S, 5, finished=3)
    assert (found["sent"], found["done"], found["failed"], found["in_flight"]) == (5, 3, 1, 2)
    assert found["achieved_rate"] == 1.0  # four gaps in four seconds
    assert found["asked_rate"] == 1.0


def test_a_closed_loop_asks_for_an_infinite_rate_in_a_form_that_json_can_hold() -> None:
    assert live(rate=math.inf).snapshot(START, 0, finished=0)["asked_rate"] == "inf"


@given(st.lists(st.floats(2e-6, 9e4), min_size=1, max_size=50), st.integers(0, 10))
def test_percentiles_are_right_to_one_per_cent_however_the_records_are_cut_into_batches(
    latencies_s: list[float], timeouts: int
) -> None:
    rows = np.zeros(len(latencies_s) + timeouts, RECORD)
    rows["outcome"][len(latencies_s) :] = Outcome.TIMEOUT
    rows["done_ns"][: len(latencies_s)] = np.round(np.array(latencies_s) * 1e9)
    figures = live()
    for batch in np.array_split(rows, 3):
        figures.add(batch)
    found = figures.snapshot(START + S, 0, finished=0)
    for shown, p in ((found["p50_s"], 0.5), (found["p99_s"], 0.99)):
        exact = percentile(np.array(latencies_s), p, timeouts)
        assert shown == (None if exact is None else pytest.approx(exact, rel=0.01))


def test_latencies_out_of_range_land_in_the_outermost_buckets() -> None:
    figures = live()
    figures.add(records((0, 1, 1, Outcome.OK)))
    assert figures.snapshot(START, 1, finished=0)["p50_s"] == pytest.approx(1e-6, rel=0.01)
    figures = live()
    figures.add(records((0, 0, 1e7, Outcome.OK)))
    assert figures.snapshot(START, 1, finished=0)["p50_s"] == pytest.approx(1e5, rel=0.02)


def test_latency_counts_from_the_schedule_where_asked() -> None:
    rows = records((0, 5, 6, Outcome.OK))
    rows["scheduled_ns"] = START
    figures = live(latency_from="scheduled")
    figures.add(rows)
    assert figures.snapshot(START + 6 * S, 1, finished=0)["p50_s"] == pytest.approx(6.0, rel=0.01)


@pytest.mark.parametrize(
    ("rate", "last_s", "elapsed_s", "sent", "done", "expected_s"),
    [
        (1.0, 99.0, 49.0, 50, 49, 51.0),  # keeps up: 50 s of plan and one latency
        (1.0, 100.0, 50.0, 26, 25, 147.0),  # half the pace: 50 s of plan, 48 held back by then at 2 s each, one latency
        (math.inf, 0.0, 50.0, 26, 25, 149.0),  # closed loop: 74 to send at an answer every two seconds, one latency
        (1.0, 99.0, 200.0, 100, 98, 1.0),  # all sent: one latency
        (1.0, 99.0, 200.0, 100, 100, 0.0),
        (1.0, 99.0, 1.0, 2, 0, None),
    ],
)
def test_the_time_left_follows_the_plan_and_what_the_budget_holds_back(
    rate: float, last_s: float, elapsed_s: float, sent: int, done: int, expected_s: float | None
) -> None:
    figures = live(planned=100, rate=rate, last_s=last_s)
    figures.add(records(*[(i, 0, 1, Outcome.OK) for i in range(done)]))
    remaining_s = figures.snapshot(START + round(elapsed_s * S), sent, done)["remaining_s"]
    assert remaining_s == (None if expected_s is None else pytest.approx(expected_s, abs=0.01))


def test_the_achieved_rate_stops_with_the_last_send() -> None:
    figures = live(planned=3)
    figures.snapshot(START + 2 * S, 3, finished=0)
    assert figures.snapshot(START + 50 * S, 3, finished=0)["achieved_rate"] == 1.0


def send_times(*sent_s: float | None) -> NDArray[np.int64]:
    return np.array([0 if sent is None else START + round(sent * S) for sent in sent_s], dtype=np.int64)


def test_requests_in_flight_for_long_are_counted_and_the_oldest_is_named() -> None:
    figures = live(planned=5)
    figures.add(records((1, 1, 2, Outcome.OK)))
    sent_ns = send_times(3, 1, 2, 30, None)
    early = figures.snapshot(START + 12 * S, 4, finished=1, send_time_ns=sent_ns)
    assert (early["unanswered"], early["unanswered_s"], early["unanswered_index"]) == (0, None, None)
    late = figures.snapshot(
        START + 40 * S, 4, finished=1, send_time_ns=sent_ns
    )  # at exactly ten seconds nothing is said yet
    assert (late["unanswered"], late["unanswered_s"], late["unanswered_index"]) == (2, 38.0, 2)
    figures.add(records((2, 2, 41, Outcome.TIMEOUT)))
    late = figures.snapshot(START + 42 * S, 4, finished=2, send_time_ns=sent_ns)
    assert (late["unanswered"], late["unanswered_s"], late["unanswered_index"]) == (2, 39.0, 0)


def test_a_request_is_not_called_silent_where_others_took_a_third_of_its_time() -> None:
    figures = live(planned=3)
    figures.add(records((0, 0, 20, Outcome.OK)))
    sent_ns = send_times(0, 20, None)
    assert figures.snapshot(START + 80 * S, 2, finished=1, send_time_ns=sent_ns)["unanswered"] == 0
    assert figures.snapshot(START + 81 * S, 2, finished=1, send_time_ns=sent_ns)["unanswered"] == 1


def test_nobody_is_silent_where_all_have_ended() -> None:
    figures = live(planned=1)
    figures.add(records((0, 0, 20, Outcome.OK)))
    assert figures.snapshot(START + 80 * S, 1, finished=1, send_time_ns=send_times(0))["unanswered"] == 0
