"""Whole runs of video jobs against the simulated server, which knows to the nanosecond when each of them ended."""

import itertools
import signal
import socket
import time
import urllib.error
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collector.saved import export
from collector.saved.run_folder import read_run
from loadgen.simulator.engine.mp4 import mp4
from loadgen.transport import NAMES
from tests.faults.test_stops import end, wait_for
from tests.support.commands import bench, command, fetch, run, server
from tests.support.hostile import Behaviour, reset, serving

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


# Servers that fail on the way, and servers that go on working


def of_a_job(states: list[bytes]) -> Behaviour:
    """A server of jobs whose polls are answered by these heads and bodies in turn, the last one again and again."""
    polls = itertools.chain(states[:-1], itertools.repeat(states[-1]))
    video = mp4(64, 64, 2)

    def behave(connection: socket.socket) -> None:
        while True:
            line = first_line(connection)
            if line.startswith(b"POST"):
                body = b'{"id":"v1","status":"queued"}'
                connection.sendall(http(b"200 OK", body))
            elif b"/content" in line:
                connection.sendall(http(b"200 OK", video))
            elif line.startswith(b"DELETE"):
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            elif b"/v1/videos/v1 " not in line:
                connection.sendall(http(b"404 Not Found", b"{}"))
            elif (answer := next(polls)) in (b"reset", b"close"):
                time.sleep(0.1)  # at once would look like an idle connection that was closed, which is no failure
                return reset(connection) if answer == b"reset" else None
            else:
                connection.sendall(answer)

    return behave


def first_line(connection: socket.socket) -> bytes:
    """Read a request to its end; return its first line."""
    received = b""
    while b"\r\n\r\n" not in received:
        if not (more := connection.recv(65536)):
            raise EOFError
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or b"0")
    while len(body) < length:
        body += connection.recv(65536)
    return received.split(b"\r\n")[0]


def http(status: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


RUNNING = http(b"200 OK", b'{"id":"v1","status":"in_progress"}')
COMPLETED = http(b"200 OK", b'{"id":"v1","status":"succeeded","num_outputs":2}')
ONE = ("--num-prompts", "1", "--skip-health-check", "--poll-interval", "0.01")


@pytest.mark.parametrize("transport", NAMES)
def test_polls_that_fail_are_counted_and_the_completion_is_known_less_precisely(transport: str, tmp_path: Path) -> None:
    failures = [http(b"503 Busy", b"busy"), b"reset", b"close", http(b"429 Slow", b"{}"), http(b"500 No", b"<html>")]
    with serving(of_a_job([RUNNING, *failures, COMPLETED])) as target:
        words = (*ONE, "--base-url", f"http://127.0.0.1:{target.port}", "--transport", transport)
        result = bench(*JOBS, *COLD, *words, "--run-dir", str(tmp_path / "run"))
    assert (result["outcomes"]["ok"], result["failed_polls"]) == (1, 5)
    (row,) = read_run(tmp_path / "run").records
    assert (int(row["failed_polls"]), int(row["outputs"])) == (5, 2)
    assert int(row["accepted_ns"]) < int(row["started_ns"]) < int(row["completed_ns"])
    assert result["completion_width"]["max"] > 0.15  # five intervals, each twice as long as the one before
    _, out, _ = run("report", str(tmp_path / "run"))
    assert "5 polls failed and were repeated" in " ".join(out.split())


@pytest.mark.parametrize("transport", NAMES)
def test_a_failed_job_behind_an_http_error_says_why(transport: str) -> None:
    body = b'{"id":"v1","prompt":"%s","status":"failed","error":{"code":500,"message":"CUDA out of memory"}}'
    with serving(of_a_job([RUNNING, http(b"500 Internal Server Error", body % (b"a cat " * 1000))])) as target:
        words = (*ONE, "--base-url", f"http://127.0.0.1:{target.port}", "--transport", transport)
        result = bench(*JOBS, *COLD, *words, code=4)
    assert result["errors"] == {"job_failed": {"count": 1, "example": "CUDA out of memory"}}


@pytest.mark.parametrize("transport", NAMES)
def test_without_retries_a_poll_that_fails_is_the_end(transport: str) -> None:
    with serving(of_a_job([RUNNING, http(b"503 Busy", b"busy")])) as target:
        words = (*ONE, "--base-url", f"http://127.0.0.1:{target.port}", "--transport", transport)
        result = bench(*JOBS, *COLD, *words, "--poll-retries", "0", code=4)
    assert result["errors"] == {"poll_http_503": {"count": 1, "example": "busy"}}


def test_an_unknown_state_is_shown_once_while_the_job_is_polled_on() -> None:
    odd = http(b"200 OK", b'{"id":"v1","status":"warming up"}')
    with serving(of_a_job([odd, odd, RUNNING, odd, COMPLETED])) as target:
        words = [word for word in (*JOBS, *COLD, *ONE) if word != "--disable-tqdm"]
        code, out, err = run("bench", *words, "--base-url", f"http://127.0.0.1:{target.port}", COLUMNS="200")
    assert code == 0
    assert err.count("a job is 'warming up', which is not a known state") == 1
    assert "unknown states of jobs: warming up" in out


def test_a_run_waits_for_deletes_that_take_their_time() -> None:
    with server(base_ms=600_000, replicas=9, server="vllm-omni-0.30", kind="video", abort_ms=2500) as url:
        words = ("--base-url", url, "--num-prompts", "3", "--max-concurrency", "3", "--video-job-timeout", "0.3")
        result = bench(*JOBS, *COLD, *words, code=4)
        assert fetch(f"{url}/sim/stats")["in_flight"] == 0
    assert result["outcomes"]["timeout"] == 3
    left = [result["processes"][name] for name in result["processes"] if name.startswith("sender")]
    assert sum(each["undeleted"] + each["deleting"] for each in left) == 0
    assert max(result["service"]["max"] or 0, result["duration"]) < 2.5  # the DELETEs are in no latency


@pytest.mark.parametrize(("role", "waits"), [("sglang-0.5.23", True), ("vllm-omni-0.30", False)])
def test_a_sweep_waits_for_jobs_that_a_delete_would_leave_running(role: str, waits: bool) -> None:
    words = [word for word in JOBS if word != "--disable-tqdm"]
    with server(base_ms=2000, replicas=9, server=role, kind="video") as url:
        rates = ("--base-url", url, "--num-prompts", "3", "--rates", "20,30", "--cool-down", "0", "--senders", "1")
        limits = ("--video-job-timeout", "5", "--drain", "0.2")
        _, _, err = run("sweep", *words, *rates, *limits, "--output-file", "-", COLUMNS="200")
        visits = fetch(f"{url}/sim/log")
    first, second = visits[1:4], visits[4]  # a warm-up, three jobs that do not end in time, and the next warm-up
    assert ("waiting for 3 unfinished jobs" in err) is waits
    assert ("s for 3 unfinished jobs: all have ended" in err) is waits
    assert [visit["status"] for visit in first] == [200 if waits else 499] * 3  # polled to the end, or aborted
    if waits:
        assert second["received_ns"] >= max(visit["finished_ns"] for visit in first)
