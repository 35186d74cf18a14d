"""The command line: every flag of `loadgen bench` with odd values, up to the plan; nothing is sent."""

import argparse
import contextlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import orjson
from hypothesis import strategies as st

from collector.report import json
from loadgen.bodies.request import Request
from loadgen.cli import bench_options, load_flags, output_files
from loadgen.cli.main import main
from loadgen.datasets.downloads import Hub
from loadgen.datasets.input_images import synthetic_png
from loadgen.options import VIDEO_TASKS, BenchOptions
from loadgen.planning.plan import build_plan
from loadgen.processes.simulated_server import parse_simulator
from loadgen.runs import targets
from loadgen.runs.run_metadata import config
from loadgen.secrets import Secrets
from loadgen.server.target import resolve
from loadgen.server.tls import tls_context
from loadgen.simulator.engine import options as simulator
from loadgen.transport.request_head import RequestHeads
from scripts.fuzzing.command_outcome import outcome, run_captured
from scripts.fuzzing.data_files import folder
from scripts.fuzzing.odd_values import ODD_TEXTS
from scripts.fuzzing.target import Target

SECRET: Final = "s3cr3t+Zm9v"
_LARGEST: Final = 300  # requests that are really planned: a case should take milliseconds
_PATHS: Final = (
    *(
        "trace.txt",
        "prompts.txt",
        "images",
        "trace.txt,trace.txt",
        "*.txt",
        ".",
        "none",
        "/dev/null",
        "/proc/self/mem",
        "/proc/none/x",
    ),
    *("/", "trace.txt/x", "x" * 300, "~none/x", "a\udcff", "**/*", "[", "fresh/er", "/dev/full"),
)
_FINE: Final[dict[str, tuple[str, ...]]] = {
    "--base-url": (
        "http://127.0.0.1:9",
        "https://127.0.0.1:9/v",
        f"http://u:{SECRET}@127.0.0.1",
        "http://[::1]:8",
        "localhost",
    ),
    "--backend": ("openai", "v1/images/edits", "v1/videos/sync"),
    "--proxy": (
        f"http://u:{SECRET}@127.0.0.1:9",
        "http://",
        f"socks5://{SECRET}@x",
        "http://[",
        "http://127.0.0.1:999999",
    ),
    "--header": ("A=b", f"Authorization=Bearer {SECRET}", "A:b", "Host=x", "Content-Length=1", "A=\udcff"),
    "--api-key": (SECRET, f"{SECRET}\n", f"{SECRET}é"),
    "--extra-body": (
        '{"seed":null}',
        '{"num_frames":2}',
        '{"prompt":1}',
        '{"a":1e999}',
        '{"\\ud800":1}',
        '{"n":2}',
        "[1",
    ),
    "--random-request-config": (
        '[{"width":64,"height":64}]',
        '[{"weight":1e308},{"weight":1e308}]',
        '[{"fps":0}]',
        "[[]]",
    ),
    "--pin": ("auto", "senders=0", "senders=0-99999", "scheduler=0,", "x=1", "senders=1-0", "senders=٣"),
    "--rate-series": ("0:1,5:2", "0:0,1:0", "0:1", "1:1,2:2", "0:1,0:5", "0:1e300,9e8:1e300", "0:1,1e9:nan"),
    "--rates": ("auto", "1,2", "0.5,1,nan,2", "1,1", "1,inf", "0,1", "1e9,1", ",1,2", "1e-300,1"),
    "--min-attainment": ("0.9", "0.99", "0.5", "0.9999"),
    "--time-limit": ("15", "60", "14.9", "1e9"),
    "--sweep-dir": ("kept", "fresh"),
    "--search-dir": ("kept", "fresh"),
    "--simulate": (
        "--replicas 4",
        "--port 70000",
        "--http-errors 503:2",
        "'",
        "--base-ms nan",
        "--seed 1e3",
        "--help",
        "--media x",
    ),
}


@lru_cache(maxsize=1)
def _actions() -> tuple[argparse.Action, ...]:
    parser = argparse.ArgumentParser()
    load_flags.add_arguments(parser)
    return tuple(action for action in parser._actions if action.option_strings[0] != "-h")


@lru_cache(maxsize=1)
def home() -> Path:
    """Make the files that the words name; whatever a case writes is written there."""
    place = folder() / "home"
    (place / "images").mkdir(parents=True)
    rows = "Request(prompt='a', width=64, height=64, timestamp=0, image_path='images/a.png', slo_ms=5)\n"
    (place / "trace.txt").write_text(rows * 3)
    (place / "prompts.txt").write_text("a cat\na dog\n")
    (place / "images" / "a.png").write_bytes(synthetic_png(8, 8, 0))
    cache = place / "cache"
    for name in ("sd3_trace.txt", "cogvideox_trace.txt"):
        (cache / "Dit_Trace").mkdir(parents=True, exist_ok=True)
        (cache / "Dit_Trace" / name).write_text(rows.replace("images", str(place / "images")))
    (cache / "vbench").mkdir()
    (cache / "vbench" / "subject_consistency.txt").write_text("a cat\n")
    (cache / "vbench-i2v" / "data" / "origin").mkdir(parents=True)
    (cache / "vbench-i2v" / "data" / "origin" / "a.png").write_bytes(synthetic_png(8, 8, 0))
    info = [{"file_name": "a.png", "caption": "a cat"}]
    (cache / "vbench-i2v" / "data" / "i2v-bench-info.json").write_bytes(orjson.dumps(info))
    return place


@st.composite
def _case(draw: Callable[..., Any]) -> list[str]:
    home()
    arguments = list(draw(st.sampled_from(((), ("--base-url", "http://127.0.0.1:9"), ("--simulate",)))))
    if draw(st.integers(0, 3)):
        arguments += ["--dataset", "random", "--task", draw(st.sampled_from(("t2i", "i2i", "t2v")))]
    for action in draw(st.lists(st.sampled_from(_actions()), max_size=5)):
        arguments += arguments_of(draw, action)
    if draw(st.integers(0, 9)) == 0:
        arguments.append(draw(st.sampled_from(ODD_TEXTS)))
    return [word.replace("\0", "") for word in arguments]  # which no command line can hold


def arguments_of(draw: Callable[..., Any], action: argparse.Action) -> list[str]:
    """Draw a value of a flag, odd or fine."""
    flag = action.option_strings[-1]
    if action.nargs == 0:
        return [flag]
    fine = _FINE.get(flag, ()) + tuple(action.choices or ())
    if "PATH" in str(action.metavar) or "DIR" in str(action.metavar) or action.metavar == "PEM":
        fine += _PATHS
    kinds = [st.sampled_from(ODD_TEXTS), st.integers(0, 300).map(str), st.floats(0, 50).map(str)]
    value = draw(st.one_of(*kinds, *([st.sampled_from(fine)] * 3 if fine else ())))
    return [f"{flag}={value}"] if draw(st.booleans()) else [flag, value]


def _plan_only(arguments: argparse.Namespace) -> int:
    """Stand for `bench`: everything before the first process is started, where that is no great work."""
    options = bench_options.read_options(arguments)
    with Secrets.of(options.target).hidden():
        output_files.check_files(arguments.output_file, arguments.html)
        output_files.check_save_dir(arguments.save_dir)
        check_server(arguments, options)
        if is_small(options):
            plan = build_plan(
                options.data, options.arrivals, options.target, options.warmup, Hub(cache=home() / "cache")
            )
            targets.check(plan, options.slo)
            check_shown(options)
    return 0


def check_server(arguments: argparse.Namespace, options: BenchOptions) -> None:
    """All that is done about the server before it is asked anything."""
    if arguments.simulate is not None:
        parse_simulator(arguments.simulate, "video" if options.data.task in VIDEO_TASKS else "image")
    target = resolve(options.target)
    tls_context(target)
    RequestHeads(target).of(Request("POST", "/v1/x", "application/json", b"{}"))


def check_shown(options: BenchOptions) -> None:
    """See that no secret is in what is kept of the options."""
    shown = json.dump(config(options))
    assert SECRET.encode() not in shown, shown


def is_small(options: BenchOptions) -> bool:
    """Whether a plan of these options is made in no time."""
    data, arrivals = options.data, options.arrivals
    series = sum(
        (late - early) * max(a, b)
        for (early, a), (late, b) in zip(arrivals.rate_series, arrivals.rate_series[1:], strict=False)
    )
    rows = (arrivals.duration_s or 0) * (arrivals.rate if arrivals.rate < 1e9 else 100)
    most = max(data.num_prompts if arrivals.duration_s is None else 0, rows, series, options.warmup.requests)
    side = max(data.shape.width or 0, data.shape.height or 0, 1024 if data.dataset == "random" else 0)
    config = data.random_request_config or ""
    return most <= _LARGEST and side <= 1024 and data.num_input_images <= 3 and len(config) < 100


def check(arguments: list[str]) -> str:
    """Run one command line as far as its plan."""
    return run_in_home(["bench", *arguments], _plan_only)


def run_in_home(arguments: list[str], run: Callable[[argparse.Namespace], int]) -> str:
    """Give a command line to `run`, with the files that its words name; what it writes is removed."""
    place = home()
    before = set(place.iterdir())
    try:
        with contextlib.chdir(place):
            return outcome(*run_captured(lambda: main(arguments, run=run)), secrets=(SECRET,))
    finally:
        for path in set(place.iterdir()) - before:
            _remove(path)


def _remove(path: Path) -> None:
    for inner in path.iterdir() if path.is_dir() else ():
        _remove(inner)
    path.rmdir() if path.is_dir() else path.unlink()


@st.composite
def _serve_case(draw: Callable[..., Any]) -> str:
    parser = argparse.ArgumentParser()
    simulator.add_arguments(parser)
    names = [action.option_strings[-1] for action in parser._actions if action.option_strings[0] != "-h"]
    odd = st.sampled_from(ODD_TEXTS) | st.integers(-5, 10**6).map(str)
    return " ".join(f"{name} {draw(odd)}" for name in draw(st.lists(st.sampled_from(names), max_size=3)))


def check_serve(text: str) -> str:
    """Read the flags of `loadgen serve`, as `--simulate` takes them."""
    arguments = ["--simulate=" + text.replace("\0", ""), "--task", "t2i", "--dataset", "random"]
    return check(arguments)


COMMAND_LINE: Final = Target("command line", 12, _case(), check)
SERVE_FLAGS: Final = Target("simulator flags", 3, _serve_case(), check_serve)
