"""Saved runs: damage to every file of a run folder, and odd flags, then `loadgen report` or `loadgen compare`."""

import atexit
import contextlib
import shutil
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import orjson
from hypothesis import strategies as st

from collector.saved.run_folder import FILES, SUMMARY
from loadgen.api import (
    ArrivalOptions,
    BenchOptions,
    DataOptions,
    Shape,
    SimulatorOptions,
    SloOptions,
    TargetOptions,
    TrafficOptions,
    WarmupOptions,
    build_plan,
    run,
    simulated,
)
from loadgen.cli.main import main
from scripts.fuzzing.command_outcome import outcome, run_captured
from scripts.fuzzing.odd_values import ODD_TEXTS, damaged_bytes, mutated_json
from scripts.fuzzing.target import Target

_FLAGS: Final = (
    *("--latency-from", "--slo-ms", "--percentiles", "--confidence"),
    *("--export", "--html", "--output-file", "--export-file"),
)
_FINE: Final = (
    *((), (), ("--latency-from", "sent"), ("--slo-ms", "5"), ("--percentiles", "50,99.9"), ("--confidence", "0.9999")),
    *(("--export", "csv"), ("--export", "jsonl"), ("--html", "page.html"), ("--output-file", "out.json")),
)
_COMPARED: Final = (
    *((), (), ("--force",), ("--markdown",), ("--output-file", "compared.json"), ("--confidence", "0.9")),
    *(("--max-regression", "x"), ("--output-file=",), ("--output-file=-", "--markdown")),
)
_WORDS: Final = tuple(word for word in ODD_TEXTS if not set(word) & set("/\\~"))


@lru_cache(maxsize=1)
def saved_run() -> tuple[Path, dict[str, bytes]]:
    """Make a run against the embedded server, with some failures; return a copy's folder and what its files held."""
    place = Path(tempfile.mkdtemp(prefix="loadgen-fuzz-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    with simulated(SimulatorOptions(port=0, base_ms=2, replicas=20, fail_rate=0.3, seed=3)) as url:
        data = DataOptions("random", "t2i", num_prompts=30, shape=Shape(64, 64))
        arrivals, target = ArrivalOptions(rate=200.0), TargetOptions(base_url=url, server_metrics=("/metrics",))
        traffic, slo = TrafficOptions(max_concurrency=20), SloOptions(True, 1000.0)
        options = BenchOptions(data, arrivals, target, WarmupOptions(3), slo, traffic)
        run(build_plan(data, arrivals, target, options.warmup), options, run_dir=place / "run")
    shutil.copytree(place / "run", place / "whole")
    return place / "run", {path.name: path.read_bytes() for path in (place / "run").iterdir()}


@st.composite
def _case(draw: Callable[..., Any]) -> tuple[dict[str, bytes | None], tuple[str, ...]]:
    _, held = saved_run()
    damage: dict[str, bytes | None] = {}
    for name in draw(st.lists(st.sampled_from(FILES), max_size=2, unique=True)):
        damage[name] = draw(st.none() | _damaged(name, held[name]) | _damaged(name, held[name]))
    if draw(st.integers(0, 9)) == 0:
        damage.setdefault(SUMMARY, None)
    if draw(st.integers(0, 3)) == 0:
        compared = draw(st.permutations((draw(st.sampled_from(("run", "run", "run/summary.json", "."))), "whole")))
        return damage, ("compare", *compared, *draw(st.sampled_from(_COMPARED)))
    flags = ("report", "run", *draw(st.sampled_from(_FINE)))
    if draw(st.integers(0, 3)) == 0:
        flags += (f"{draw(st.sampled_from(_FLAGS))}={draw(st.sampled_from(_WORDS))}",)
    return damage, flags


def _damaged(name: str, content: bytes) -> "st.SearchStrategy[bytes]":
    if name.endswith(".json"):
        return mutated_json((orjson.loads(content),)) | damaged_bytes(content)
    lines = content.split(b"\n")[:-1]
    if name.endswith(".jsonl") and lines:
        return st.sampled_from(range(len(lines))).flatmap(lambda number: _line(lines, number)) | damaged_bytes(content)
    return damaged_bytes(content)


def _line(lines: list[bytes], number: int) -> "st.SearchStrategy[bytes]":
    """One line of a file mutated."""
    made = mutated_json((orjson.loads(lines[number]),))
    return made.map(lambda line: b"\n".join([*lines[:number], line, *lines[number + 1 :], b""]))


def check(case: tuple[dict[str, bytes | None], tuple[str, ...]]) -> str:
    """Look at a damaged copy, or hold it against one that is whole: a report, or one line that names the file."""
    damage, arguments = case
    folder, held = saved_run()
    before = set(folder.parent.iterdir())
    for name, content in damage.items():
        (folder / name).unlink() if content is None else (folder / name).write_bytes(content)
    try:
        with contextlib.chdir(folder.parent):  # files go there
            return outcome(*run_captured(lambda: main(arguments)))
    finally:
        for path in (set(folder.parent.iterdir()) - before) | {folder / each for each in folder.iterdir()}:
            path.unlink()
        for name, content in held.items():
            (folder / name).write_bytes(content)


RUN_FILES: Final = Target("run files", 4, st.deferred(_case), check)
