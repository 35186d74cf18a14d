from dataclasses import replace

import numpy as np
import pytest

from collector.records.record import Outcome
from collector.statistics.intervals import share_interval
from collector.summary.attainment import MAX_CLASSES, by_class, class_name, over_time
from collector.summary.summary import RunInfo
from tests.support.runs import START, S, info, records, times_of

SMALL, LARGE = [256, 256, 1, 20], [1024, 768, 80, 50]


@pytest.mark.parametrize(
    ("shape", "name"),
    [
        (SMALL, "256x256, 20 steps"),
        (LARGE, "1024x768, 80 frames, 50 steps"),
        ([0, 0, 0, 0], "any size"),
        ([0, 0, 17, 4], "any size, 17 frames, 4 steps"),
    ],
)
def test_a_class_is_named_by_what_is_known_of_it(shape: list[int], name: str) -> None:
    assert class_name(shape) == name


def run(shapes: list[list[int]], slo_s: list[float]) -> RunInfo:
    n = len(shapes)
    known = info([float(i) for i in range(n)], [float(i) for i in range(n)])
    return replace(known, slo_enabled=True, slo_ms=np.array(slo_s) * 1000, shapes=np.array(shapes, np.int32))


def test_attainment_of_a_class_counts_its_own_requests_that_have_a_target() -> None:
    known = run([LARGE, SMALL, SMALL, SMALL, LARGE, SMALL], [1, 1, 1, 1, float("nan"), 0.1])
    ends = [Outcome.OK, Outcome.OK, Outcome.ERROR, Outcome.OK, Outcome.OK, Outcome.OK]
    found = records(*[(i, float(i), i + 0.5, end) for i, end in enumerate(ends)])
    rows = by_class(times_of(found, known), known)
    assert [(row["class"], row["requests"], row["met"], row["attainment"]) for row in rows] == [
        ("256x256, 20 steps", 4, 2, 0.5),
        ("1024x768, 80 frames, 50 steps", 1, 1, 1.0),
    ]
    assert rows[0]["ci"] == share_interval(2, 4, 0.95)


def test_the_rarest_of_many_classes_share_the_last_row() -> None:
    shapes = [[16 * (1 + i % 40), 16, 1, 1] for i in range(60)]
    known = run(shapes, [1.0] * 60)
    found = records(*[(i, float(i), i + 0.5, Outcome.OK) for i in range(60)])
    rows = by_class(times_of(found, known), known)
    assert len(rows) == MAX_CLASSES
    assert rows[-1]["class"] == f"{40 - MAX_CLASSES + 1} others"
    assert [row["requests"] for row in rows[:20]] == [2] * 19 + [22]
    assert sum(row["met"] for row in rows) == 60


def test_a_run_whose_shapes_nobody_knows_has_no_classes() -> None:
    known = replace(run([SMALL], [1.0]), shapes=np.zeros((0, 4), np.int32))
    assert by_class(times_of(records(), known), known) == []


def test_attainment_over_time_is_by_when_requests_were_due() -> None:
    known = run([SMALL] * 40, [1.0] * 40)
    found = records(*[(i, float(i), i + (0.5 if i < 20 else 2.0), Outcome.OK) for i in range(39)])  # 39 is lost
    rows = over_time(times_of(found, known), known)
    assert [(row["from_s"], row["to_s"], row["requests"], row["met"]) for row in rows] == [
        (0.0, 19.5, 20, 20),
        (19.5, 39.0, 20, 0),
    ]


def test_a_stretch_without_a_request_has_no_attainment() -> None:
    known = run([SMALL] * 60, [1.0] * 60)
    at_s = np.where(np.arange(60) < 30, np.arange(60) / 30, 9 + np.arange(60) / 60)
    known = replace(known, scheduled_ns=START + (at_s * S).astype(np.int64))
    rows = over_time(times_of(records(), known), known)
    assert [row["requests"] for row in rows] == [30, 0, 30]
    assert (rows[1]["attainment"], rows[1]["ci"]) == (None, None)


def test_in_a_closed_loop_time_is_when_requests_were_sent() -> None:
    known = replace(run([SMALL] * 40, [1.0] * 40), scheduled_ns=np.full(40, START), asked_rate=float("inf"))
    rows = over_time(times_of(records(), known), known)
    assert [row["to_s"] for row in rows] == [19.5, 39.0]


def test_without_any_target_there_is_nothing_over_time() -> None:
    known = run([SMALL], [float("nan")])
    assert over_time(times_of(records(), known), known) == []
