"""`loadgen search` as people run it, against the simulated server, and the deadline that keeps its time limit."""

import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from loadgen.options import ArrivalOptions, BenchOptions, DataOptions, SloOptions
from loadgen.planning.plan import Plan
from loadgen.runs.run import CompletedRun
from loadgen.search.deadline import Deadline
from loadgen.search.options import SearchOptions
from loadgen.search.search import Search
from tests.support.commands import LIMIT_S, T2I, command, run
from tests.support.folders import write_run

SEARCH = ("search", *T2I, "--arrival", "poisson", "--slo-ms", "200", "--min-attainment", "0.9")
QUICK = "--simulate=--base-ms 5 --unit-ms 0 --service exponential"


def test_a_search_never_takes_longer_than_its_time_limit_even_where_the_server_never_answers() -> None:
    hanging = command(*SEARCH, "--simulate=--base-ms 3600000", "--time-limit", "15", "--output-file", "-")
    capped = command(
        *SEARCH, "--simulate=--base-ms 3600000", "--time-limit", "15", "--start-rate", "5", "--warmup-requests", "0",
        "--output-file", "-",
    )  # fmt: skip
    for process in (hanging, capped):
        out, err = process.communicate(timeout=LIMIT_S)
        found = orjson.loads(out)
        assert found["bracket"] == [None, None]
        assert found["ended"] == "time_limit"
        assert found["duration_s"] <= found["time_limit_s"] == 15
        assert "no rate is shown to hold, none is shown to fail" in err


def test_a_search_reports_the_rates_that_it_tested(tmp_path: Path) -> None:
    words = (QUICK, "--time-limit", "20", "--start-rate", "20", "--search-dir", str(tmp_path / "runs"))
    code, out, err = run(*SEARCH, *words, "--output-file", str(tmp_path / "found.json"))
    found = orjson.loads((tmp_path / "found.json").read_bytes())
    assert code == 0, err
    assert found["tests"][0]["rate"] == 20
    assert found["duration_s"] <= 20
    assert found["needs_n"] == 73  # log 0.001 / log 0.9 / 0.9 = 72.8
    runs = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert runs[0] == "run-001-rate-20"
    assert len(runs) >= sum(len(test["runs"]) for test in found["tests"])
    assert "20.0/s" in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--time-limit", "5"), "--time-limit 5"),
        (("--time-limit", "60", "--num-prompts", "5"), "--num-prompts"),
        (("--time-limit", "60", "--request-rate", "5"), "--request-rate"),
        (("--time-limit", "60", "--rate-series", "0:1,5:2"), "--rate-series"),
        (("--time-limit", "60", "--precision", "1"), "--precision"),
        (("--time-limit", "60", "--min-attainment", "0.5"), "--min-attainment 0.5"),
        (("--time-limit", "60", "--search-dir", str(Path(__file__).parent)), "--search-dir"),
    ],
)
def test_a_search_that_cannot_be_is_one_clear_line(words: tuple[str, ...], says: str) -> None:
    code, _, err = run(*SEARCH, *words)
    assert code == 2
    assert says in err
    assert err.count("\n") == 1


def test_a_search_without_a_target_is_bad_usage() -> None:
    words = ("search", *T2I, "--base-url", "http://127.0.0.1:9", "--min-attainment", "0.9", "--time-limit", "30")
    code, _, err = run(*words)  # before it asks for the server
    assert code == 2
    assert "no request has an SLO target; give --slo-ms MS, or --slo" in err


def test_a_deadline_interrupts_what_is_under_way_and_says_that_it_was_it() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with Deadline(time.monotonic() + 0.05) as deadline:
        time.sleep(30)
    assert deadline.expired
    assert signal.getsignal(signal.SIGALRM) == before


def test_a_deadline_lets_other_interrupts_through() -> None:
    with pytest.raises(KeyboardInterrupt), Deadline(time.monotonic() + 60) as deadline:
        raise KeyboardInterrupt
    assert not deadline.expired
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_a_deadline_does_not_cut_the_clean_up_short() -> None:
    cleaned = False
    with Deadline(time.monotonic() + 0.05):
        try:
            time.sleep(30)
        finally:
            time.sleep(1)  # longer than until the second ring
            cleaned = True
    assert cleaned


def test_a_fault_ends_a_search_that_keeps_what_it_found(tmp_path: Path) -> None:
    def run_at_rate(plan: Plan, _options: BenchOptions, folder: Path | None) -> CompletedRun:
        assert folder is not None
        if "002" in folder.name:
            return CompletedRun(result, interrupted=False, died=(), save_error="records: No space left on device")
        write_run(folder, np.arange(len(plan)) / 20, np.full(len(plan), 0.01), slo_ms=200)
        return CompletedRun(result, interrupted=False, died=())

    result: Any = {"slo": {"requests": 100}}
    options = BenchOptions(
        DataOptions(dataset="random", task="t2i"),
        ArrivalOptions("poisson", 1.0),
        slo=SloOptions(flat_ms=200, enabled=True),
    )
    search_options, notices = SearchOptions(0.9, 60, time.monotonic(), start_rate=20), list[str]()
    search = Search(search_options, options, run_at_rate, tmp_path, notices.append)
    search.run(lambda _: options)
    found = search.result({})
    assert found["ended"] == "fault"
    assert [test["rate"] for test in found["tests"]] == [20]
    assert "No space left on device" in notices[-1]


def test_a_deadline_ends_a_search_in_the_background_too_where_a_shell_has_ctrl_c_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Deadline(time.monotonic() + 0.05) as deadline:
            time.sleep(60)
        assert deadline.expired
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
