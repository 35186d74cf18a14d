"""The run itself: real processes and sockets, against the simulated server's own stamps.

Nothing here asserts on milliseconds: order, counts and inequalities hold on a busy machine too.
"""

import itertools
from pathlib import Path

import numpy as np
import orjson
import pytest

from collector.saved.run_folder import read_run
from tests.support.commands import T2I, bench, fetch, server


def test_in_flight_never_passes_the_cap_with_three_senders_and_reaches_it() -> None:
    with server(base_ms=30, replicas=16) as url:
        result = bench(
            *T2I, "--base-url", url, "--num-prompts", "120", "--max-concurrency", "5", "--senders", "3",
            "--warmup-requests", "0",
        )  # fmt: skip
        stats = fetch(f"{url}/sim/stats")
    assert stats["requests"] == 120
    assert stats["max_in_flight"] == 5
    assert result["max_in_flight"] == 5
    assert result["completed_requests"] == 120
    assert result["verdict"]["state"] == "VALID"
    assert result["latency_from"] == "sent"
    assert result["offered"]["asked_rate"] == "inf"


def test_requests_are_admitted_in_schedule_order_by_a_budget_of_one() -> None:
    with server(base_ms=5) as url:
        bench(*T2I, "--base-url", url, "--num-prompts", "40", "--max-concurrency", "1", "--senders", "3",
              "--warmup-requests", "0")  # fmt: skip
        prompts = [visit["prompt"] for visit in fetch(f"{url}/sim/log")]
    assert prompts == [f"Random prompt {i} for benchmarking diffusion models" for i in range(40)]


def test_all_that_is_planned_arrives_and_never_early(tmp_path: Path) -> None:
    with server(base_ms=1, replicas=64) as url:
        result = bench(*T2I, "--base-url", url, "--num-prompts", "30", "--max-concurrency", "30", "--senders", "2",
                       "--request-rate", "20", "--warmup-requests", "0", "--run-dir", str(tmp_path))  # fmt: skip
        log = fetch(f"{url}/sim/log")
    received_ns = {int(visit["prompt"].split()[2]): visit["received_ns"] for visit in log}
    assert result["lag"]["p50"] >= 0
    assert result["offered"] | {"achieved_rate": 0} == {
        "planned": 30, "sent": 30, "unsent": 0, "due": 30, "asked_rate": 20.0, "achieved_rate": 0,
    }  # fmt: skip
    scheduled_ns = read_run(tmp_path).info.scheduled_ns.tolist()
    assert len(received_ns) == len(scheduled_ns) == 30
    assert all(received_ns[index] >= planned_ns for index, planned_ns in enumerate(scheduled_ns))


def test_service_agrees_with_what_the_server_measured_of_itself() -> None:
    with server(base_ms=80, replicas=4) as url:
        result = bench(*T2I, "--base-url", url, "--num-prompts", "12", "--max-concurrency", "4", "--request-rate", "10",
                       "--warmup-requests", "0")  # fmt: skip
        log = fetch(f"{url}/sim/log")
    inside = sorted((visit["replied_ns"] - visit["received_ns"]) / 1e9 for visit in log)
    assert inside[0] >= 0.080
    assert result["service"]["p50"] > inside[5]  # the client sees all that the server does, and the network
    assert result["service"]["max"] > inside[-1]


def test_waiting_for_the_budget_is_wait_and_counts_in_response() -> None:
    with server(base_ms=100) as url:
        result = bench(*T2I, "--base-url", url, "--num-prompts", "12", "--max-concurrency", "1", "--request-rate", "50",
                       "--warmup-requests", "0")  # fmt: skip
    assert result["verdict"]["state"] == "CAPPED"
    assert result["service"]["p50"] < result["response"]["p50"]
    # request i is due at i/50 s and its permit comes with the end of the i-th, 0.1 s each at least
    assert result["wait"]["max"] >= 11 * 0.1 - 11 / 50
    assert result["response"]["max"] >= result["wait"]["max"] + 0.1
    assert result["max_in_flight"] == 1
    assert "1 in flight" in result["verdict"]["reasons"][0]["text"]


def test_a_rate_that_the_budget_cannot_carry_still_sends_everything() -> None:
    with server(base_ms=20, replicas=2) as url:
        result = bench(*T2I, "--base-url", url, "--num-prompts", "50", "--max-concurrency", "2",
                       "--request-rate", "1000",
                       "--senders", "2", "--warmup-requests", "0")  # fmt: skip
    assert result["outcomes"] == {"ok": 50, "error": 0, "timeout": 0, "cancelled": 0, "unfinished": 0, "lost": 0}


def test_what_reaches_the_server_is_what_the_trace_says(tmp_path: Path) -> None:
    trace = tmp_path / "trace.txt"
    trace.write_text(
        "Request(request_id='a', timestamp=0.0, height=128, width=256, prompt='one', num_inference_steps=3)\n"
        "Request(request_id='b', timestamp=0.1, height=512, width=512, prompt='two', num_inference_steps=7)\n"
    )
    with server() as url:
        bench("--task", "t2i", "--dataset", "trace", "--dataset-path", str(trace), "--base-url", url,
              "--arrival", "trace", "--max-concurrency", "2", "--warmup-requests", "1")  # fmt: skip
        log = fetch(f"{url}/sim/log")
    seen = [(v["prompt"], v["width"], v["height"], v["steps"]) for v in log]
    assert seen == [("one", 256, 128, 2), ("one", 256, 128, 3), ("two", 512, 512, 7)]  # the warm-up has two steps


def test_warm_ups_are_reported_apart_and_are_in_no_statistic() -> None:
    with server(base_ms=10) as url:
        result = bench(*T2I, "--base-url", url, "--num-prompts", "4", "--warmup-requests", "3", "--senders", "2")
        assert fetch(f"{url}/sim/stats")["requests"] == 7
    assert result["completed_requests"] == 4
    assert result["warmup"]["requests"] == result["warmup"]["ok"] == 3
    assert len(result["warmup"]["latency_s"]) == 3


def test_targets_come_from_warm_ups_and_a_requests_own_target_wins(tmp_path: Path) -> None:
    trace = tmp_path / "trace.txt"
    rows = ["slo_ms=0.001", "slo_ms=1e9", "seed=1", "seed=2"]
    trace.write_text("".join(f"Request(prompt='p', width=16, height=16, {row})\n" for row in rows))
    with server(base_ms=20, unit_ms=0) as url:
        result = bench("--task", "t2i", "--dataset", "trace", "--dataset-path", str(trace), "--base-url", url, "--slo",
                       "--num-inference-steps", "2", "--slo-scale", "1000000", "--num-prompts", "4")  # fmt: skip
    assert result["slo"]["requests"] == 4
    assert result["slo_met_success"] == 3
    assert result["slo_attainment_rate"] == 0.75
    assert result["slo"]["unit_ms"] >= 10  # two steps of one unit each took 20 ms or more


def test_failures_are_outcomes_with_kinds_and_the_books_still_balance() -> None:
    with server(base_ms=1, fail_rate=0.3, reset_rate=0.2, stall=0.1, seed=5, replicas=50) as url:
        result = bench(*T2I, "--base-url", url, "--num-prompts", "100", "--max-concurrency", "20",
                       "--request-rate", "200",
                       "--timeout", "1", "--senders", "2", "--warmup-requests", "0")  # fmt: skip
        served = [visit["status"] for visit in fetch(f"{url}/sim/log")]
    outcomes = result["outcomes"]
    assert sum(outcomes.values()) == 100
    assert outcomes["timeout"] > 0
    assert outcomes["ok"] == served.count(200)
    assert result["errors"]["http_500"]["count"] == served.count(500)
    assert "injected" in result["errors"]["http_500"]["example"]
    assert sum(error["count"] for error in result["errors"].values()) == outcomes["error"]
    assert result["failed_requests"] == 100 - outcomes["ok"]
    assert not any(reason["rule"] == "conservation" for reason in result["verdict"]["reasons"])


def test_percentiles_are_null_where_they_fall_among_requests_that_never_ended() -> None:
    with server(stall=1) as url:
        result = bench(
            *T2I, "--base-url", url, "--num-prompts", "3", "--timeout", "0.2", "--warmup-requests", "0", code=4
        )
    assert result["outcomes"]["timeout"] == 3
    assert result["latency_p50"] is None


@pytest.mark.parametrize(
    ("words", "planned"),
    [
        (("--request-rate", "20", "--duration", "1"), 20),
        (("--request-rate", "40", "--arrival", "poisson", "--num-prompts", "25"), 25),
        (("--request-rate", "40", "--arrival", "gamma", "--burstiness", "0.5", "--num-prompts", "25"), 25),
    ],
)
def test_planned_arrivals_run_as_planned(words: tuple[str, ...], planned: int) -> None:
    result = bench(*T2I, "--simulate", "--base-ms 1 --replicas 99", "--max-concurrency", "99", *words)
    assert result["offered"]["planned"] == result["offered"]["sent"] == planned
    assert result["latency_from"] == "scheduled"


@pytest.mark.parametrize("asked", ["auto", "scheduled", "sent"])
def test_latency_is_what_was_asked_for(asked: str) -> None:
    result = bench(
        *T2I, "--simulate", "--base-ms 20", "--num-prompts", "5", "--request-rate", "100", "--latency-from", asked
    )
    expected = "scheduled" if asked == "auto" else asked
    assert result["latency_from"] == expected
    assert result["latency_p99"] == result["response" if expected == "scheduled" else "service"]["p99"]


def test_a_trace_shorter_than_asked_sends_fewer_and_says_so(tmp_path: Path) -> None:
    trace = tmp_path / "trace.txt"
    trace.write_text("Request(prompt='p', width=64, height=64)\n" * 3)
    with server(base_ms=1) as url:
        from tests.support.commands import run

        code, out, err = run("bench", "--task", "t2i", "--dataset", "trace", "--dataset-path", str(trace),
                             "--base-url", url, "--num-prompts", "9", "--output-file", "-")  # fmt: skip
    assert code == 0
    assert orjson.loads(out)["offered"]["planned"] == 3
    assert "3 rows" in err
    assert "9" in err


def test_the_key_of_the_environment_is_sent_and_shown_nowhere() -> None:
    result = bench(
        *T2I, "--simulate", "", "--num-prompts", "1", "--header", "X-Secret=hunter2", OPENAI_API_KEY="sk-12345"
    )
    text = orjson.dumps(result)
    assert b"sk-12345" not in text
    assert b"hunter2" not in text
    assert result["config"]["target"]["headers"] == ["X-Secret"]


def test_the_result_has_every_key_that_dashboards_read() -> None:
    result = bench(*T2I, "--simulate", "", "--num-prompts", "3", "--slo")
    flat = [
        "duration",
        "completed_requests",
        "failed_requests",
        "throughput_qps",
        "latency_mean",
        "latency_median",
        "latency_p50",
        "latency_p95",
        "latency_p99",
        "peak_memory_mb_max",
        "peak_memory_mb_mean",
        "peak_memory_mb_median",
        "stage_durations_mean",
        "stage_durations_p50",
        "stage_durations_p99",
        "slo_attainment_rate",
        "slo_met_success",
        "slo_scale",
        "backend",
        "model",
        "dataset",
        "task",
        "offered",
        "lag",
        "wait",
        "service",
        "response",
        "latency_from",
        "outcomes",
        "errors",
        "max_in_flight",
        "slo",
        "warmup",
        "config",
        "environment",
        "verdict",
    ]
    assert set(flat) <= set(result)
    assert all(result[key] is not None for key in flat)
    for name, key in itertools.product(("lag", "wait", "service", "response"), ("mean", "p50", "p99_9", "max")):
        assert np.isfinite(result[name][key])
