"""What the machine did, told from what the tool did."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.records.record import Outcome
from collector.records.stalls import STALL, stalled_ns
from collector.summary.summary import RunNotes, summarise
from tests.support.runs import START, S, info, records


def stalls(*rows: tuple[int, int]) -> np.ndarray:
    return np.array([(0, at, late) for at, late in rows], STALL)


@pytest.mark.parametrize(
    ("span", "covered"),
    [
        ((0, 100), 0),
        ((100, 110), 10),  # due at 100, woken at 110: inside
        ((110, 120), 10),  # the time to catch up
        ((90, 130), 20),
        ((120, 150), 0),
        ((105, 205), 20),  # the rest of the first, the beginning of the second
        ((0, 1000), 60),
    ],
)
def test_a_stall_counts_until_as_long_after_its_end(span: tuple[int, int], covered: int) -> None:
    seen = stalls((100, 10), (200, 20), (210, 10))  # the last is inside the second
    assert stalled_ns(seen, np.array([span[0]]), np.array([span[1]])).tolist() == [covered]


def test_without_stalls_nothing_is_explained() -> None:
    assert stalled_ns(stalls(), np.array([0, 5]), np.array([9, 9])).tolist() == [0, 0]


@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(1, 30)), min_size=1, max_size=8),
    st.integers(0, 250),
    st.integers(0, 60),
)
def test_coverage_is_what_counting_every_instant_gives(rows: list[tuple[int, int]], begin: int, length: int) -> None:
    inside = [any(at <= t < at + 2 * late for at, late in rows) for t in range(begin, begin + length)]
    assert stalled_ns(stalls(*rows), np.array([begin]), np.array([begin + length])).tolist() == [sum(inside)]


def late_run(stall: tuple[float, float] | None) -> dict[str, object]:
    """Ten requests a second apart of 1 s each; the one due at 5 s is sent at 8 s."""
    sent = [float(i) for i in range(10)]
    sent[5] = 8.0
    found = records(*[(i, at, at + 1, Outcome.OK) for i, at in enumerate(sent)])
    known = info([float(i) for i in range(10)], list(sent))
    if stall:
        at, late = (round(value * S) for value in stall)
        known = replace(known, stalls=stalls((START + at, late)))
    verdict = summarise(found, known, RunNotes())["verdict"]
    return {"state": verdict["state"], "by": [reason["cause"] for reason in verdict["reasons"]]}


def test_lateness_that_the_sampler_saw_too_is_the_machines() -> None:
    assert late_run((4.9, 3.1)) == {"state": "INVALID", "by": ["machine"]}


@pytest.mark.parametrize("stall", [None, (1.0, 0.5), (5.0, 0.2)])
def test_lateness_that_the_sampler_did_not_see_is_the_tools(stall: tuple[float, float] | None) -> None:
    assert late_run(stall) == {"state": "INVALID", "by": ["tool"]}


@pytest.mark.parametrize(("busy", "remedy"), [(0.95, "more --senders"), (0.1, "fewer --senders"), (None, "--senders")])
def test_the_remedy_fits_how_busy_the_senders_were(busy: float | None, remedy: str) -> None:
    sent = [i + 0.5 for i in range(10)]
    found = records(*[(i, at, at + 1, Outcome.OK) for i, at in enumerate(sent)])
    known = replace(info([float(i) for i in range(10)], list(sent)), busiest_sender=busy)
    (reason,) = summarise(found, known, RunNotes())["verdict"]["reasons"]
    assert remedy in reason["text"]
