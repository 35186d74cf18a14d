import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from collector.records.record import Outcome
from collector.summary.result import Verdict
from collector.summary.summary import RunInfo, RunNotes, summarise
from tests.support.runs import START, S, info, records


def judged(found: NDArray[np.void], known: RunInfo) -> Verdict:
    return summarise(found, known, RunNotes())["verdict"]


def run(
    n: int = 10, lag_s: float = 0.0, service_s: float = 1.0, cap: int = 100, stretch: float = 1.0
) -> tuple[NDArray[np.void], RunInfo]:
    """One request a second, each sent `lag_s` late and the whole drawn out by `stretch`."""
    sent = [i * stretch + lag_s for i in range(n)]
    found = records(*[(i, at, at + service_s, Outcome.OK) for i, at in enumerate(sent)])
    return found, info([float(i) for i in range(n)], list(sent), cap=cap)


def whats(verdict: Verdict) -> list[str]:
    return [reason["rule"] for reason in verdict["reasons"]]


def test_a_run_on_time_is_valid_and_has_no_reason() -> None:
    assert judged(*run()) == Verdict(state="VALID", reasons=[])


@pytest.mark.parametrize(
    ("lag_s", "state"),
    [(0.0, "VALID"), (0.05, "VALID"), (0.06, "INVALID"), (-0.06, "INVALID")],  # 0.05 of 1.05 s is 4.8 %, 0.06 5.7 %
)
def test_lag_that_moves_response_by_more_than_five_per_cent_is_invalid(lag_s: float, state: str) -> None:
    found, known = run(lag_s=lag_s)
    assert judged(found, known)["state"] == state


def test_lag_of_a_few_requests_is_seen_at_p99_where_p50_hides_it() -> None:
    found, known = run(n=50)
    found["sent_ns"][7] += 2 * S
    found["done_ns"][7] += 2 * S
    verdict = judged(found, known)
    assert whats(verdict) == ["lag"]
    assert "p99 of response would be 1.00 s instead of 3.00 s" in verdict["reasons"][0]["text"]
    assert "--senders" in verdict["reasons"][0]["text"]


def capped_run() -> tuple[NDArray[np.void], RunInfo]:
    """One request a second with one permit, two seconds each: request i waits i seconds."""
    found = records(*[(i, 2.0 * i, 2.0 * i + 2, Outcome.OK) for i in range(10)])
    return found, info([float(i) for i in range(10)], [2.0 * i for i in range(10)], cap=1)


def test_waiting_for_the_budget_caps_the_run_and_says_what_share_waited() -> None:
    verdict = judged(*capped_run())
    assert verdict["state"] == "CAPPED"
    (reason,) = verdict["reasons"]
    assert reason["cause"] == "budget"
    assert "describe 1 in flight, not the asked 1.00/s: 90 % of the requests waited" in reason["text"]


def test_invalid_outranks_capped_and_both_reasons_stand() -> None:
    found, known = capped_run()
    verdict = judged(found, replace(known, died=("sender-2",)))
    assert verdict["state"] == "INVALID"
    assert whats(verdict) == ["died", "wait"]
    assert "sender-2" in verdict["reasons"][0]["text"]


def test_a_closed_loop_is_judged_neither_by_lag_nor_by_wait() -> None:
    found, known = capped_run()
    found["sent_ns"] += S
    found["done_ns"] += S
    closed = replace(known, asked_rate=math.inf, scheduled_ns=np.full(10, START, dtype=np.int64))
    assert judged(found, closed) == Verdict(state="VALID", reasons=[])
    assert judged(found, replace(closed, died=("collector",)))["state"] == "INVALID"
    assert judged(found, replace(closed, sent_count=11))["state"] == "INVALID"


@pytest.mark.parametrize(
    ("n", "stretch", "reasons"),
    [
        (100, 1.009, []),
        (100, 1.02, ["rate"]),
        (99, 1.02, []),  # too few to say
    ],
)
def test_sends_spread_over_more_time_than_planned_are_invalid(n: int, stretch: float, reasons: list[str]) -> None:
    found, known = run(n=n, stretch=stretch, service_s=1000.0, cap=1000)  # so slow a server that lag moves nothing
    assert whats(judged(found, known)) == reasons


def test_a_few_that_wait_for_the_budget_are_not_held_against_the_rate() -> None:
    found, known = run(n=200, service_s=0.5)
    found["done_ns"][198] = START + 210 * S  # one slow answer holds the only permit, so the last one starts at 210
    found["sent_ns"][199], found["done_ns"][199] = START + 210 * S, START + 210 * S + S // 2
    marks = known.send_time_ns.copy()
    marks[199] = START + 210 * S
    assert judged(found, replace(known, max_concurrency=1, send_time_ns=marks))["state"] == "VALID"


def test_an_interruption_is_named_and_changes_no_state() -> None:
    found, known = run()
    verdict = judged(found, replace(known, stopped_ns=START + 20 * S))
    assert (verdict["state"], whats(verdict)) == ("VALID", ["interrupted"])
    assert verdict["reasons"][0]["cause"] == "user"


def test_counts_that_disagree_break_the_books() -> None:
    found, known = run()
    stray = records((10, 0, 1, Outcome.OK))
    unmarked = np.where(np.arange(10) == 3, 0, known.send_time_ns)
    unnamed = found.copy()
    unnamed["outcome"][0] = 77
    cases = [
        (found, replace(known, sent_count=9), "senders counted 9 sends, but records and lost requests add up to 10"),
        (np.concatenate([found, found[:2]]), known, "2 requests have a second record"),
        (np.concatenate([found, stray]), known, "1 records are of requests that are not in the plan"),
        (found[:-1], known, "1 requests were sent and have no record"),
        (found, replace(known, send_time_ns=unmarked), "1 records are of requests that no sender counted as sent"),
        (unnamed, known, "1 records have an unknown outcome"),
        (
            found[:-1],
            replace(known, send_time_ns=known.send_time_ns * (np.arange(10) < 9)),
            "1 planned requests were never",
        ),
        (*run(service_s=5.0, cap=2), "5 requests were in flight, but --max-concurrency is 2"),
    ]
    for records_, facts_, sentence in cases:
        verdict = judged(records_, facts_)
        assert verdict["state"] == "INVALID", sentence
        assert any(sentence in reason["text"] for reason in verdict["reasons"]), (sentence, verdict)


def test_a_budget_filled_by_requests_that_all_timed_out_still_caps_the_run() -> None:
    found, known = capped_run()
    found["outcome"] = Outcome.TIMEOUT
    assert judged(found, known)["state"] == "CAPPED"


def test_requests_that_were_due_and_held_back_at_an_interrupt_cap_the_run() -> None:
    found = records((0, 0.0, 4.5, Outcome.CANCELLED))
    known = replace(info([0.0, 1.0, 2.0, 9.0], [0.0, None, None, None], cap=1), stopped_ns=START + 4 * S)
    verdict = judged(found, known)
    assert verdict["state"] == "CAPPED"
    assert "2 more requests, due before the stop" in verdict["reasons"][0]["text"]


def test_requests_that_were_due_while_permits_were_free_are_the_tools_doing() -> None:
    found = records((0, 0.0, 1.0, Outcome.OK))
    known = replace(info([0.0, 1.0, 2.0, 9.0], [0.0, None, None, None], cap=1), stopped_ns=START + 4 * S)
    verdict = judged(found, known)
    assert verdict["state"] == "INVALID"
    assert "2 requests that were due had not been sent" in verdict["reasons"][0]["text"]


def test_a_fault_of_ours_is_never_taken_for_the_servers() -> None:
    found, known = run()
    found["outcome"][3], found["error"][3] = Outcome.ERROR, 11
    verdict = judged(found, known)
    assert (verdict["state"], whats(verdict)) == ("INVALID", ["client"])


def test_a_death_is_no_interrupt_by_the_user() -> None:
    found, known = run()
    verdict = judged(found[:5], replace(known, stopped_ns=START + 5 * S, died=("sender 1",)))
    assert "interrupted" not in whats(verdict)
