"""The figures over time of a run whose rate changes."""

from dataclasses import replace

import numpy as np
import pytest

from collector.records.record import Outcome
from collector.report.terminal import over_time as table_module
from collector.summary import over_time as module
from collector.summary.over_time import asked_rate, over_time
from collector.summary.run_info import RunInfo, RunNotes
from collector.summary.summary import summarise
from tests.support.runs import info, records, times_of

SERIES = ((0.0, 1.0), (2.0, 3.0), (4.0, 1.0))


@pytest.mark.parametrize(
    ("from_s", "to_s", "rate"),
    [(0, 2, 2.0), (1, 2, 2.5), (0, 4, 2.0), (1, 3, 2.5), (3, 4, 1.5)],
)
def test_the_asked_rate_of_a_stretch_is_the_area_by_its_length(from_s: float, to_s: float, rate: float) -> None:
    assert asked_rate(SERIES, from_s, to_s) == pytest.approx(rate)


def test_a_jump_of_the_series_has_no_area() -> None:
    assert asked_rate(((0, 1), (2, 1), (2, 5), (4, 5)), 1, 3) == pytest.approx(3)


def known(**changes: object) -> RunInfo:
    """40 requests, ten a second, so of two stretches of 2 s."""
    due = [k / 10 for k in range(40)]
    made = replace(info(due, list(due)), rate_series=SERIES, slo_enabled=True, slo_ms=np.full(40, 500.0))
    return replace(made, **changes)  # type: ignore[arg-type]


def test_each_stretch_has_its_own_figures() -> None:
    done = [(k, k / 10, k / 10 + (0.25 if k < 20 else 1.0), Outcome.OK) for k in range(38)]
    found = records(*done, (38, 3.8, 3.9, Outcome.ERROR), (39, 3.9, 9.0, Outcome.TIMEOUT))
    first, second = over_time(times_of(found, known()), known())
    assert (first["from_s"], first["to_s"], second["to_s"]) == (0, 2, 4)
    assert (first["requests"], first["failed"], second["requests"], second["failed"]) == (20, 0, 20, 2)
    assert first["achieved_rate"] == second["achieved_rate"] == 10
    assert first["throughput"] == 9  # ended before 2.0: sent at 0.0 to 1.7
    assert first["latency"]["p50"] == pytest.approx(0.25)
    assert second["latency"]["p50"] == pytest.approx(1.0)
    assert second["latency"]["p99"] is None  # the timeout, of 19
    assert (first["attainment"], second["attainment"]) == (1, 0)
    assert first["in_flight"] == 3  # 0.25 s of ten a second
    assert second["in_flight"] == 10  # one that ends as another begins makes room for it


def test_requests_that_were_never_sent_did_not_meet_their_target() -> None:
    done = records(*[(k, k / 10, k / 10 + 0.2, Outcome.OK) for k in range(30)])
    unsent = known(send_time_ns=np.where(np.arange(40) < 30, known().send_time_ns, 0))
    _, second = over_time(times_of(done, unsent), unsent)
    assert second["requests"] == 10
    assert second["attainment"] == 0.5


def test_a_run_of_one_rate_has_no_stretches() -> None:
    steady = replace(known(), rate_series=())
    done = records(*[(k, k / 10, k / 10 + 0.2, Outcome.OK) for k in range(40)])
    assert over_time(times_of(done, steady), steady) == []
    assert summarise(done, steady, RunNotes())["over_time"] == []


def test_there_are_no_more_stretches_than_fit_a_screen_and_each_has_a_row() -> None:
    due = [k / 1000 for k in range(4000)]
    many = replace(info(due, list(due)), rate_series=SERIES)
    rows = over_time(times_of(records(*[(k, t, t + 0.1, Outcome.OK) for k, t in enumerate(due)]), many), many)
    assert len(rows) == module.MAX_INTERVALS
    assert sum(row["requests"] for row in rows) == 4000
    assert rows[0]["attainment"] is None
    assert table_module.table(rows).row_count == module.MAX_INTERVALS
