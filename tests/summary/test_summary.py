from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.records.record import ErrorKind, Outcome
from collector.summary.summary import RunNotes, summarise
from tests.support.runs import START, S, info, jobs, records, times_of


def test_the_budget_releases_a_request_at_the_completion_that_frees_its_permit() -> None:
    # C = 2: request 2 needs the first completion (4.0), request 3 the second (5.0); request 4 is late all by itself.
    known = info([0, 1, 2, 3, 20], [0, 1, 4.5, 5, 20.25], cap=2)
    found = times_of(
        records(
            (1, 1, 4, Outcome.OK),
            (0, 0, 5, Outcome.OK),
            (2, 4.5, 8, Outcome.OK),
            (3, 5, 9, Outcome.OK),
            (4, 20.25, 21, Outcome.OK),
        ),
        known,
    )
    assert (found.released_ns - START).tolist() == [0, 1 * S, 4 * S, 5 * S, 20 * S]
    assert found.wait_ns.tolist() == [0, 0, 2 * S, 2 * S, 0]
    assert found.lag_ns.tolist() == [0, 0, S // 2, 0, S // 4]
    assert found.max_in_flight == 2


def test_a_request_that_ends_when_another_starts_makes_room_for_it() -> None:
    known = info([0, 0, 5], [0, 0, 5])
    found = times_of(records((0, 0, 5, Outcome.OK), (1, 0, 6, Outcome.OK), (2, 5, 7, Outcome.OK)), known)
    assert found.max_in_flight == 2


def test_what_a_burial_released_is_not_held_against_a_later_completion() -> None:
    # C = 1 and request 0 is lost with its sender, so no completion frees the permit that request 1 was sent with.
    known = replace(info([0, 1, 2], [0, 3, 6], cap=1), died=("sender-0",))
    found = times_of(records((1, 3, 5, Outcome.OK), (2, 6, 7, Outcome.OK)), known)
    assert found.outcome.tolist() == [Outcome.LOST, Outcome.OK, Outcome.OK]
    assert (found.released_ns - START).tolist() == [0, 3 * S, 6 * S]
    assert (found.done_ns - START).tolist() == [60 * S, 5 * S, 7 * S]


def test_figures_of_a_small_run_are_what_a_hand_computes() -> None:
    found = records(
        (0, 0.0, 2.0, Outcome.OK),
        (1, 1.5, 2.0, Outcome.OK),
        (2, 2.0, 8.0, Outcome.TIMEOUT),
        (3, 3.0, 4.0, Outcome.ERROR),
        (4, 4.0, 7.0, Outcome.OK),
    )
    found["peak_memory_mb"] = [100, np.nan, 900, 900, 300]
    found["error"][3], found["status"][3] = ErrorKind.HTTP, 503
    notes = RunNotes({"vae": [0.1, 0.2, 0.9]}, {"http_503": "busy"})
    figures = summarise(found, info([0, 1, 2, 3, 4, 5], [0, 1.5, 2, 3, 4, None]), notes)
    assert (figures["duration"], figures["completed_requests"], figures["failed_requests"]) == (8.0, 3, 2)
    assert figures["throughput_qps"] == 3 / 8
    assert figures["offered"] == {
        "planned": 6,
        "sent": 5,
        "unsent": 1,
        "due": 6,
        "asked_rate": 1.0,
        "achieved_rate": 1.0,
    }
    assert figures["outcomes"] == {"ok": 3, "error": 1, "timeout": 1, "cancelled": 0, "unfinished": 0, "lost": 0}
    # responses 1, 2, 3 and one infinite; services 0.5, 2, 3 and one infinite
    assert figures["response"]["mean"] == 2.0
    assert (figures["response"]["p50"], figures["service"]["p50"]) == (2.0, 2.0)
    assert (figures["response"]["p90"], figures["service"]["max"]) == (None, None)
    assert figures["lag"]["max"] == 0.5
    assert figures["lag"]["mean"] == 0.1  # over all five that were sent
    assert figures["wait"]["max"] == 0.0
    assert (figures["latency_mean"], figures["latency_median"], figures["latency_p99"]) == (2.0, 2.0, None)
    assert (figures["peak_memory_mb_max"], figures["peak_memory_mb_mean"]) == (300, 200)
    assert figures["peak_memory_mb_median"] == 100  # an order statistic
    assert figures["stage_durations_p50"] == {"vae": 0.2}
    assert figures["stage_durations_mean"]["vae"] == pytest.approx(0.4)
    assert figures["errors"] == {"http_503": {"count": 1, "example": "busy"}}
    assert figures["slo_attainment_rate"] is None


def test_latency_keys_follow_service_where_latency_counts_from_sent() -> None:
    known = replace(info([0], [3]), latency_from="sent")
    figures = summarise(records((0, 3, 5, Outcome.OK)), known, RunNotes())
    assert (figures["latency_p50"], figures["service"]["p50"], figures["response"]["p50"]) == (2.0, 2.0, 5.0)


def test_the_widths_of_completions_are_those_of_the_jobs_that_succeeded() -> None:
    found = jobs((0, 1, 1.5, 2), (0, 1, 3, 4), (0, 0, 1, 2), (0, 1, 9, 9))
    found["outcome"][3] = Outcome.ERROR
    width = summarise(found, info([0] * 4, [0] * 4), RunNotes())["completion_width"]
    assert width is not None
    assert (width["n"], width["p50"], width["max"], width["mean"]) == (3, 1.0, 2.0, 3.5 / 3)


def test_jobs_that_never_completed_have_no_width_and_what_is_no_job_has_none_at_all() -> None:
    found = jobs((0, 1, 2, 3))
    found["outcome"], found["completed_ns"] = Outcome.TIMEOUT, 0
    assert times_of(found, info([0], [0])).width_ns.tolist() == [0]
    width = summarise(found, info([0], [0]), RunNotes())["completion_width"]
    assert width is not None
    assert (width["n"], width["p50"]) == (0, None)
    assert summarise(records((0, 0, 1, Outcome.OK)), info([0], [0]), RunNotes())["completion_width"] is None


def test_a_run_of_nothing_has_null_figures_and_no_zero_latency() -> None:
    figures = summarise(records(), info([], [], rate=float("inf")), RunNotes())
    assert (figures["duration"], figures["throughput_qps"], figures["latency_p50"]) == (0.0, None, None)
    assert figures["offered"]["asked_rate"] == "inf"
    assert figures["max_in_flight"] == 0


def test_a_second_record_of_a_request_is_not_counted() -> None:
    found = records((0, 0, 1, Outcome.OK), (0, 0, 9, Outcome.ERROR))
    figures = summarise(found, info([0], [0]), RunNotes())
    assert (figures["outcomes"]["ok"], figures["outcomes"]["error"], figures["duration"]) == (1, 0, 1.0)


def test_of_an_interrupted_run_it_is_said_what_was_due_before_the_stop() -> None:
    known = replace(info([0, 1, 2, 3], [0, None, None, None]), stopped_ns=START + 2 * S)
    figures = summarise(records((0, 0, 1, Outcome.OK)), known, RunNotes())
    assert (figures["offered"]["due"], figures["offered"]["unsent"], figures["partial"]) == (3, 3, True)


def test_in_a_closed_loop_only_what_got_its_permit_before_the_stop_was_due() -> None:
    known = replace(info([0, 0, 0], [0, None, None], rate=float("inf")), stopped_ns=START + 2 * S)
    assert summarise(records((0, 0, 1, Outcome.OK)), known, RunNotes())["offered"]["due"] == 1


fates = st.lists(st.sampled_from([None, *Outcome]), max_size=30)


@settings(deadline=None)
@given(fates, st.integers(1, 5))
def test_every_planned_request_is_accounted_for_exactly_once(ends: list[Outcome | None], cap: int) -> None:
    known = info([float(i) for i in range(len(ends))], [None if end is None else i for i, end in enumerate(ends)])
    kept = [(i, float(i), i + 0.5, end) for i, end in enumerate(ends) if end is not None and end is not Outcome.LOST]
    figures = summarise(records(*kept), replace(known, max_concurrency=cap, died=("sender-1",)), RunNotes())
    offered, outcomes = figures["offered"], figures["outcomes"]
    assert offered["planned"] == offered["sent"] + offered["unsent"] == len(ends)
    assert offered["unsent"] == ends.count(None)
    counted = {name: ends.count(Outcome[name.upper()]) for name in outcomes}
    assert dict(outcomes) == counted
    assert offered["sent"] == sum(counted.values())
    assert not [reason for reason in figures["verdict"]["reasons"] if reason["rule"] == "conservation"]


def perfect_sends(gaps: list[int], services: list[int], cap: int) -> tuple[list[int], list[int], list[int]]:
    """Simulate a tool without lag, one permit at a time: when each request is planned, sent and done (ns)."""
    planned = np.cumsum(gaps).tolist()
    sent: list[int] = []
    done: list[int] = []
    busy: list[int] = []
    now = 0
    for at, service in zip(planned, services, strict=True):
        now = max(now, at)
        busy = [end for end in busy if end > now]
        while len(busy) >= cap:
            now = min(busy)
            busy = [end for end in busy if end > now]
        sent.append(now)
        done.append(now + service)
        busy.append(now + service)
    return planned, sent, done


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 200)), min_size=1, max_size=40), st.integers(1, 6))
def test_a_perfect_tool_has_no_lag_and_never_exceeds_the_budget(rows: list[tuple[int, int]], cap: int) -> None:
    planned, sent, done = perfect_sends([gap for gap, _ in rows], [service for _, service in rows], cap)
    known = info([0.0] * len(rows), [0.0] * len(rows), cap=cap)
    known = replace(known, scheduled_ns=START + np.array(planned), send_time_ns=START + np.array(sent))
    found = records(*[(i, 0.0, 0.0, Outcome.OK) for i in range(len(rows))])
    found["sent_ns"], found["done_ns"] = START + np.array(sent), START + np.array(done)
    times = times_of(np.random.default_rng(len(rows)).permutation(found), known)
    assert times.released_ns.tolist() == [START + at for at in sent]
    assert not times.lag_ns.any()
    assert times.max_in_flight <= cap


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 300), st.integers(1, 200)), min_size=1, max_size=40),
    st.integers(1, 6),
)
def test_response_is_wait_and_lag_and_service_to_the_nanosecond(rows: list[tuple[int, int, int]], cap: int) -> None:
    scheduled = START + np.cumsum([gap for gap, _, _ in rows])
    sent = scheduled + np.array([late for _, late, _ in rows])
    known = replace(info([0.0] * len(rows), [0.0] * len(rows), cap=cap), scheduled_ns=scheduled, send_time_ns=sent)
    found = records(*[(i, 0.0, 0.0, Outcome.OK) for i in range(len(rows))])
    found["sent_ns"], found["done_ns"] = sent, sent + np.array([service for _, _, service in rows])
    times = times_of(found, known)
    whole = times.wait_ns + times.lag_ns + times.service_ns
    assert whole.tolist() == times.response_ns.tolist() == (found["done_ns"] - scheduled).tolist()
    assert (times.wait_ns >= 0).all()
