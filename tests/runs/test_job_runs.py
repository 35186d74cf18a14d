"""Whole runs of video jobs against the simulated server, which knows to the nanosecond when each of them ended."""

import signal
import time
import urllib.error
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collector.saved import export
from collector.saved.run_folder import read_run
from loadgen.transport import NAMES
from tests.faults.test_stops import end, wait_for
from tests.support.commands import bench, command, fetch, run, server

JOBS = ("--backend", "v1/videos", "--task", "t2v", "--dataset", "random", "--width", "64", "--height", "64",
        "--num-frames", "2", "--disable-tqdm")  # fmt: skip
COLD = ("--warmup-requests", "0")


def job_states(url: str, count: int) -> list[str]:
    """What the server says of its first jobs, "gone" of those it does not know any more."""
    return [job_state(f"{url}/v1/videos/video_{number:08d}") for number in range(1, count + 1)]


def job_state(url: str) -> str:
    try:
        return str(fetch(url)["status"])
    except urllib.error.HTTPError as refused:
        if refused.code != 404:
            raise
        return "gone"


@pytest.mark.parametrize("transport", NAMES)
def test_every_completion_lies_in_the_interval_that_its_record_proves(transport: str, tmp_path: Path) -> None:
    with server(base_ms=120, replicas=8, service="exponential") as url:
        words = ("--base-url", url, "--num-prompts", "40", "--request-rate", "20", "--max-concurrency", "40")
        place = ("--run-dir", str(tmp_path / "run"), "--senders", "2", "--transport", transport)
        result = bench(*JOBS, *COLD, *words, *place)
        visits = fetch(f"{url}/sim/log")
        assert job_states(url, 40) == ["gone"] * 40
    assert result["outcomes"]["ok"] == 40
    saved = read_run(tmp_path / "run")
    found = np.sort(saved.records, order="index")
    names = ("sent_ns", "accepted_ns", "pending_ns", "completed_ns", "content_ns", "done_ns")
    for row, visit in zip(found, sorted(visits, key=lambda one: int(one["prompt"].split()[2])), strict=True):
        sent, accepted, pending, completed, content, done = (int(row[name]) for name in names)
        assert sent <= visit["received_ns"] <= accepted
        assert sent <= pending < visit["finished_ns"] <= completed
        assert completed < content == done
        assert visit["polls"] >= 1
    width = result["completion_width"]
    assert (width["n"], width["max"]) == (40, max(found["completed_ns"] - found["pending_ns"]) / 1e9)
    assert export.columns(saved, saved.info)["completion_width_s"].max() == width["max"]
    assert set(result["stage_durations_p50"]) == {"queue", "denoise", "decode"}
    assert [result["processes"][name]["undeleted"] for name in ("sender 0", "sender 1")] == [0, 0]


def test_the_budget_holds_whole_jobs_and_the_report_says_how_well_their_end_is_known() -> None:
    with server(base_ms=100, replicas=50) as url:
        words = ("--base-url", url, "--num-prompts", "12", "--max-concurrency", "3", "--no-delete", "--no-download")
        code, out, _ = run("bench", *JOBS, *words)
        assert fetch(f"{url}/sim/stats")["max_in_flight"] <= 3
        assert job_states(url, 13) == ["completed"] * 13
    assert code == 0
    assert "Completion of a job is known to within p50" in out


def test_a_target_inside_what_is_known_is_not_met_and_the_upper_attainment_counts_it_in(tmp_path: Path) -> None:
    rows = "".join(f"Request(prompt='{k}', width=64, height=64, slo_ms=250)\n" for k in range(16))
    (tmp_path / "trace.txt").write_text(rows)
    trace = ("--dataset", "trace", "--dataset-path", str(tmp_path / "trace.txt"), "--num-prompts", "16", "--slo")
    with server(base_ms=20, replicas=16) as url:
        words = ("--base-url", url, "--max-concurrency", "16", "--poll-interval", "1", "--no-download")
        result = bench(*JOBS, *COLD, *trace, *words)
    slo = result["slo"]
    assert slo["undecided"] > 0  # the first poll comes anywhere in 1 s, and what completed after 20 ms waits for it
    assert slo["attainment_upper"] == (result["slo_met_success"] + slo["undecided"]) / 16
    assert result["slo_attainment_rate"] == result["slo_met_success"] / 16 < slo["attainment_upper"]


def test_failed_jobs_are_errors_of_a_kind_of_their_own_beside_those_of_http() -> None:
    with server(base_ms=20, replicas=20, fail_rate=0.3, http_errors="503:0.2") as url:
        result = bench(*JOBS, *COLD, "--base-url", url, "--num-prompts", "40", "--max-concurrency", "20")
        assert "gone" in job_states(url, 10)  # failed ones are deleted too
    failed, refused = result["errors"]["job_failed"], result["errors"]["http_503"]
    assert failed["example"] == "injected by --fail-rate"
    assert failed["count"] + refused["count"] == result["outcomes"]["error"] == 40 - result["outcomes"]["ok"]


@pytest.mark.parametrize("transport", NAMES)
def test_a_job_that_never_ends_is_given_up_after_the_video_timeout_and_deleted(transport: str) -> None:
    with server(stall=1) as url:
        words = ("--base-url", url, "--num-prompts", "6", "--max-concurrency", "6", "--video-timeout", "0.5")
        result = bench(*JOBS, *COLD, *words, "--transport", transport, code=4)
        assert fetch(f"{url}/sim/stats") == {"requests": 6, "in_flight": 0, "max_in_flight": 6}
        assert [visit["status"] for visit in fetch(f"{url}/sim/log")] == [499] * 6
    assert result["outcomes"]["timeout"] == 6


def test_a_warm_up_is_a_whole_job_too() -> None:
    with server(base_ms=150, stall=0) as url:
        result = bench(*JOBS, "--base-url", url, "--num-prompts", "1", "--slo", "--warmup-requests", "2")
        assert [visit["polls"] > 0 for visit in fetch(f"{url}/sim/log")] == [True] * 3
    assert result["warmup"]["ok"] == 2
    assert min(result["warmup"]["latency_s"]) >= 0.15


def test_jobs_that_are_open_at_an_interrupt_are_cancelled_and_deleted() -> None:
    with server(base_ms=600_000, replicas=100) as url:
        words = ("--base-url", url, "--num-prompts", "30", "--max-concurrency", "30", "--senders", "2")
        process = command("bench", *JOBS, *COLD, *words, "--output-file", "-")
        wait_for("the jobs", lambda: fetch(f"{url}/sim/stats")["requests"] == 30)
        wait_for("a poll of each", lambda: all(visit["polls"] for visit in fetch(f"{url}/sim/log")))
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)  # the second one does not wait for the grace
        code, result, _ = end(process)
        assert code == 130
        assert result["outcomes"]["cancelled"] == 30
        left: dict[str, Any] = fetch(f"{url}/sim/stats")
        assert (
            left["in_flight"] == sum(result["processes"][name]["undeleted"] for name in ("sender 0", "sender 1")) == 0
        )
    assert result["completion_width"]["n"] == 0
