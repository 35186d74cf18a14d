"""The drop-in script takes every flag of vLLM-Omni's benchmark script and of SGLang's, with their meaning.

The lists were copied by hand from the two scripts as of November 2026; a default of ours that differs is in OURS.
"""

import argparse
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from loadgen.cli import bench_options
from loadgen.cli.main import main
from loadgen.options import TASKS, BenchOptions
from tests.support.commands import LIMIT_S, ROOT

# flag: (a value to give, or None for a switch; the script's own default)
VLLM_OMNI: dict[str, tuple[str | None, object]] = {
    "--base-url": ("http://h:1", None),
    "--host": ("h", "localhost"),
    "--port": ("1", 8091),
    "--model": ("m", "default"),
    "--endpoint": ("v1/videos", None),
    "--backend": ("/v1/videos", None),
    "--dataset": ("custom", "vbench"),
    "--task": ("t2v", "t2v"),
    "--dataset-path": ("p", None),
    "--num-prompts": ("3", 10),
    "--max-concurrency": ("3", 1),
    "--request-rate": ("3", math.inf),
    "--warmup-requests": ("3", 1),
    "--warmup-num-inference-steps": ("3", 2),
    "--warmup-concurrency": ("3", 1),
    "--width": ("64", None),
    "--height": ("64", None),
    "--num-frames": ("5", None),
    "--seed": ("7", None),
    "--fps": ("8", None),
    "--num-inference-steps": ("9", 50),
    "--output-file": ("f", None),
    "--save-dir": ("d", None),
    "--slo": (None, False),
    "--slo-scale": ("2", 3.0),
    "--disable-tqdm": (None, False),
    "--enable-negative-prompt": (None, False),
    "--random-request-config": ('[{"width": 64, "weight": 1}]', None),
    "--extra-body": ('{"a": 1}', None),
    "--num-input-images": ("2", 1),
    "--bot-task": ("vanilla", "think"),
    "--return-stage-metrics": (None, False),
    "--video-job-timeout": ("600", 900.0),
    "--disable-auto-edits": (None, False),
}
SGLANG: dict[str, tuple[str | None, object]] = {
    "--base-url": ("http://h:1", None),
    "--host": ("h", "localhost"),
    "--port": ("1", 30000),
    "--model": ("m", "default"),
    "--dataset": ("random", "vbench"),
    "--task": ("text-to-video", None),
    "--dataset-path": ("p", None),
    "--num-prompts": ("3", 10),
    "--num-outputs-per-prompt": ("2", 1),
    "--max-concurrency": ("3", 1),
    "--request-rate": ("3", math.inf),
    "--width": ("64", None),
    "--height": ("64", None),
    "--num-frames": ("5", None),
    "--fps": ("8", None),
    "--random-request-config": ('[{"width": 64, "weight": 1}]', None),
    "--random-request-seed": ("7", 42),
    "--output-file": ("f", None),
    "--disable-tqdm": (None, False),
    "--log-level": ("WARNING", "INFO"),
    "--slo": (None, False),
    "--slo-scale": ("2", 3.0),
    "--warmup-requests": ("3", 1),
    "--warmup-inference-steps": ("3", 1),
    "--extra-body": ('{"a": 1}', None),
    "--num-inference-steps": ("9", None),
}
# Our defaults that differ: flags of two scripts with two defaults, and what docs/servers.md gives a reason for.
OURS: dict[str, object] = {
    "--port": 8091,
    "--num-prompts": None,  # 10, or all of --rate-series
    "--num-inference-steps": 50,
    "--warmup-num-inference-steps": None,  # 2, or those of the request with --slo-model affine
    "--warmup-inference-steps": None,
    "--bot-task": None,
    "--video-job-timeout": None,
}
RESOLVED: frozenset[str] = frozenset({"--endpoint", "--backend", "--model", "--task"})  # found by asking the server
SCRIPTS = {"vllm-omni": VLLM_OMNI, "sglang": SGLANG}
CASES = [(name, flag) for name, flags in SCRIPTS.items() for flag in flags]


def parsed(*words: str) -> argparse.Namespace:
    found: list[argparse.Namespace] = []
    assert main(("bench", *words), run=lambda namespace: found.append(namespace) or 0) == 0  # type: ignore[func-returns-value]
    return found[0]


def destination(flag: str) -> str:
    aliases = {
        "--warmup-inference-steps": "warmup_num_inference_steps",
        "--video-job-timeout": "video_timeout",
        "--num-outputs-per-prompt": "n",
    }
    return aliases.get(flag, flag[2:].replace("-", "_"))


def options(*words: str) -> BenchOptions:
    return bench_options.read_options(parsed(*words))


@pytest.mark.parametrize(("script", "flag"), CASES)
def test_every_flag_of_the_other_scripts_is_taken(script: str, flag: str) -> None:
    value, _ = SCRIPTS[script][flag]
    given = getattr(parsed(flag, *([] if value is None else [value])), destination(flag))
    assert given != getattr(parsed(), destination(flag))


@pytest.mark.parametrize(("script", "flag"), CASES)
def test_every_default_is_theirs_or_is_listed_here(script: str, flag: str) -> None:
    _, default = SCRIPTS[script][flag]
    if flag not in RESOLVED:
        expected: Any = OURS.get(flag, default)
        found = getattr(parsed(), destination(flag))
        assert found == expected or (default is None and found in ([], ""))


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("text-to-image", "t2i"),
        ("image-to-image", "i2i"),
        ("text-to-video", "t2v"),
        ("image-to-video", "i2v"),
        ("video-to-video", "v2v"),
        ("Text_To_Video", "t2v"),
        ("T2V", "t2v"),
        *((task, task) for task in TASKS),
    ],
)
def test_a_task_may_be_spelt_as_in_either_script(text: str, task: str) -> None:
    assert parsed("--task", text).task == task


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("/v1/videos", "v1/videos"),
        ("v1/videos/", "v1/videos"),
        ("/v1/images/edits", "v1/images/edits"),
        ("/v1/images/generations", "openai"),
        ("v1/chat/completions", "vllm-omni"),
        ("openai", "openai"),
    ],
)
def test_a_backend_may_be_spelt_as_its_path(text: str, name: str) -> None:
    assert parsed("--backend", text).backend == name


def test_the_values_reach_the_options() -> None:
    found = options(
        *("--task", "i2i", "--backend", "v1/images/edits", "--bot-task", "vanilla", "--return-stage-metrics"),
        *("--num-outputs-per-prompt", "2", "--warmup-concurrency", "3", "--warmup-inference-steps", "4"),
        *("--video-job-timeout", "600", "--fps", "23.976", "--seed", str(2**64 - 1), "--disable-auto-edits"),
    )
    assert (found.target.bot_task, found.target.return_stage_metrics, found.target.n) == ("vanilla", True, 2)
    assert (found.warmup.concurrency, found.warmup.num_inference_steps) == (3, 4)
    assert (found.jobs.timeout_s, found.data.shape.fps, found.data.shape.seed) == (600, 23.976, 2**64 - 1)
    assert found.target.auto_edits is False


@pytest.mark.parametrize(("text", "kind"), [("16", int), ("16.0", int), ("23.976", float)])
def test_a_whole_frame_rate_is_sent_without_a_decimal_point(text: str, kind: type) -> None:
    assert type(parsed("--fps", text).fps) is kind


@pytest.mark.parametrize("command", ["bench", "sweep", "search"])
def test_the_custom_data_set_is_a_choice_of_every_command(command: str) -> None:
    more = {"bench": (), "sweep": ("--rates", "1,2"), "search": ("--min-attainment", "0.9", "--time-limit", "30")}[command]
    found: list[argparse.Namespace] = []
    words = (command, *more, "--dataset", "custom", "--dataset-path", "x.jsonl")
    assert main(words, run=lambda namespace: found.append(namespace) or 0) == 0  # type: ignore[func-returns-value]
    assert found[0].dataset == "custom"


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_drop_in_script_itself_takes_all_flags_at_once(script: str, tmp_path: Path) -> None:
    given = [(flag, value) for flag, (value, _) in SCRIPTS[script].items() if flag != "--base-url"]
    words = [word for pair in given for word in pair if word]
    command = [sys.executable, str(ROOT / "scripts" / "diffusion_benchmark_serving.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, cwd=tmp_path, check=False)
    assert "error:" not in done.stderr  # the parser's; h:1 is no server, and p no file
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
