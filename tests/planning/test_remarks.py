"""Flags without effect are said before the load and in the result, and none of them stops the run."""

import argparse
import json
from pathlib import Path

import pytest

from loadgen.cli import bench_options
from loadgen.cli.main import main
from loadgen.planning import remarks
from tests.support.commands import SMALL, T2I, bench, run

T2V = ("--task", "t2v", "--dataset", "random", "--backend", "v1/videos")
TEXT = ("--task", "t2i", "--dataset", "random", "--backend", "openai")


def said(*words: str) -> list[str]:
    found: list[argparse.Namespace] = []
    assert main(("bench", *words), run=lambda namespace: found.append(namespace) or 0) == 0  # type: ignore[func-returns-value]
    return remarks.of_options(bench_options.read_options(found[0]))


@pytest.mark.parametrize(
    ("words", "remark"),
    [
        ((*TEXT, "--width", "64"), "only one of --width and --height"),
        ((*TEXT, "--height", "64"), "only one of --width and --height"),
        ((*TEXT, "--num-frames", "5"), "--num-frames has no effect with --task t2i"),
        ((*TEXT, "--fps", "5"), "--fps has no effect with --task t2i"),
        ((*TEXT, "--dataset-path", "x"), "--dataset-path has no effect with --dataset random"),
        (
            ("--random-request-config", "[]", "--dataset", "trace", *TEXT[:2]),
            "--random-request-config has no effect with",
        ),
        ((*TEXT, "--random-request-seed", "5"), "--random-request-seed has no effect without --random-request-config"),
        ((*TEXT, "--num-input-images", "2"), "--num-input-images has no effect with --task t2i"),
        (("--num-input-images", "2", "--dataset", "vbench"), "--num-input-images has no effect with --dataset vbench"),
        ((*TEXT, "--burstiness", "2"), "--burstiness has no effect without --arrival gamma"),
        ((*TEXT, "--trace-speedup", "2"), "--trace-speedup has no effect without --arrival trace"),
        ((*TEXT, "--arrival-seed", "2"), "--arrival-seed has no effect with --arrival constant"),
        ((*TEXT, "--duration", "2", "--request-rate", "3", "--num-prompts", "4"), "--num-prompts has no effect with"),
        ((*TEXT, "--insecure"), "--insecure has no effect without an https URL"),
        ((*TEXT, "--ca-file", "x.pem"), "--ca-file has no effect without an https URL"),
        ((*T2V, "--bot-task", "think"), "--bot-task has no effect with --backend v1/videos"),
        ((*TEXT, "--poll-interval", "2"), "--poll-interval has no effect with --backend openai, which makes no jobs"),
        ((*TEXT, "--video-job-timeout", "2"), "--video-job-timeout has no effect with --backend openai"),
        ((*TEXT, "--no-download"), "--no-download has no effect with --backend openai"),
        ((*TEXT, "--no-delete"), "--no-delete has no effect with --backend openai"),
        ((*TEXT, "--warmup-requests", "0", "--warmup-num-frames", "3"), "--warmup-num-frames has no effect with"),
        ((*TEXT, "--warmup-requests", "0", "--warmup-concurrency", "3"), "--warmup-concurrency has no effect with"),
        ((*TEXT, "--warmup-requests", "0", "--warmup-inference-steps", "3"), "--warmup-num-inference-steps has no"),
        ((*TEXT, "--slo-scale", "2"), "--slo-scale has no effect without --slo"),
        ((*TEXT, "--slo-scale", "2", "--slo-ms", "9"), "--slo-scale has no effect with --slo-ms"),
        ((*TEXT, "--disable-auto-edits"), "--disable-auto-edits has no effect with --backend openai"),
        ((*TEXT, "--base-url", "http://h", "--port", "3"), "--port has no effect with --base-url"),
        ((*TEXT, "--base-url", "http://h", "--host", "g"), "--host has no effect with --base-url"),
        ((*TEXT, "--simulate", "--base-url", "http://h"), "--base-url has no effect with --simulate"),
    ],
)
def test_a_flag_without_effect_is_said(words: tuple[str, ...], remark: str) -> None:
    found = said(*words)
    assert len(found) == 1, found
    assert found[0].startswith(remark)


@pytest.mark.parametrize(
    "words",
    [
        TEXT,
        T2V,
        (*T2V, "--num-frames", "5", "--fps", "8", "--poll-interval", "1", "--no-delete", "--video-job-timeout", "9"),
        (*TEXT, "--width", "64", "--height", "64", "--bot-task", "think", "--return-stage-metrics"),
        (*TEXT, "--width", "64", "--random-request-config", '[{"height": 64}]', "--random-request-seed", "3"),
        (*TEXT, "--arrival", "gamma", "--burstiness", "2", "--arrival-seed", "3", "--request-rate", "3"),
        ("--task", "i2i", "--dataset", "random", "--backend", "v1/images/edits", "--num-input-images", "2"),
        (*TEXT, "--duration", "2", "--request-rate", "3"),
        (*TEXT, "--base-url", "https://h", "--insecure"),
        (*TEXT, "--slo", "--slo-scale", "2"),
        (*TEXT, "--host", "h", "--port", "3"),
    ],
)
def test_flags_with_an_effect_are_not_remarked_on(words: tuple[str, ...]) -> None:
    assert said(*words) == []


def test_remarks_are_said_before_the_load_and_are_in_the_report_and_the_json(tmp_path: Path) -> None:
    place = tmp_path / "r.json"
    words = [word for word in T2I if word != "--disable-tqdm"]
    code, out, err = run(
        *("bench", *words, "--simulate=--base-ms 1", "--num-prompts", "2", "--burstiness", "3"),
        *("--random-request-config", '[{"width": 64, "height": 64}]', "--output-file", str(place)),
        *("--html", str(tmp_path / "r.html"), "--run-dir", str(tmp_path / "run")),
    )
    assert code == 0, err
    remark = "--burstiness has no effect without --arrival gamma"
    assert remark in err
    assert f"note: {remark}" in out
    assert f"Note: {remark}." in (tmp_path / "r.html").read_text()
    result = json.loads(place.read_text())
    assert result["remarks"] == [remark]
    assert "remarks" not in result["config"]
    assert f"note: {remark}" in run("report", str(tmp_path / "run"))[1]


@pytest.mark.parametrize("transport", ["native", "aiohttp"])
def test_a_trace_with_fewer_rows_than_requests_is_said_and_in_the_result(tmp_path: Path, transport: str) -> None:
    trace = tmp_path / "trace.txt"
    trace.write_text("Request(prompt='a', width=64, height=64)\n" * 3)
    result = bench(
        *("--task", "t2i", "--dataset", "trace", "--dataset-path", str(trace), "--simulate=--base-ms 1"),
        *("--num-prompts", "5", "--transport", transport, "--disable-tqdm"),
    )
    assert result["remarks"] == ["the trace has 3 rows and is sent once: 3 requests, not 5"]
    assert result["completed_requests"] == 3


def test_a_sweep_says_them_too(tmp_path: Path) -> None:
    place = tmp_path / "s.json"
    code, out, err = run(
        *("sweep", *SMALL.split(), "--simulate=--base-ms 5 --replicas 50", "--rates", "20,40", "--num-prompts", "5"),
        *("--cool-down", "0", "--burstiness", "3", "--output-file", str(place)),
    )
    assert code == 0, err
    assert json.loads(place.read_text())["remarks"] == ["--burstiness has no effect without --arrival gamma"]
    assert "note: --burstiness has no effect" in out
