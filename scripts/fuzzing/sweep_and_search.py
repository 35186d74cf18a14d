"""Sweeps and searches: every flag of `loadgen sweep` and `loadgen search`, up to the plans; damaged sweep folders."""

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, cast

import orjson
from hypothesis import strategies as st

from collector.summary.result import Result
from loadgen.cli import output_files, search, sweep
from loadgen.options import BenchOptions
from loadgen.planning.plan import Plan
from loadgen.runs.run import CompletedRun
from loadgen.runs.run_metadata import config
from loadgen.search.search import open_search_dir
from loadgen.secrets import Secrets
from loadgen.sweeps.runner import Runner
from loadgen.sweeps.sweep_folder import SWEEP, read_rates
from scripts.fuzzing.command_line import arguments_of, check_server, check_shown, is_small, run_in_home
from scripts.fuzzing.odd_values import damaged_bytes, mutated_json
from scripts.fuzzing.target import Target

_ASKED: Final = ("--base-url", "http://127.0.0.1:9", "--dataset", "random", "--task", "t2i", "--num-prompts", "5")
_SOUND: Final = {
    "sweep": ("--rates", "1,2", "--num-prompts", "5"),
    "search": ("--min-attainment", "0.9", "--time-limit", "60", "--slo-ms", "5"),
}
_COUNT: Final = 20  # requests of a run of a search
_MODEL: Final = {"model": "affine", "unit_ms": 0.5, "fixed_ms": 3.0, "fit": None, "warnings": []}
Case = tuple[list[str], bytes | None]  # words, and what is in kept/sweep.json


@lru_cache(maxsize=2)
def _actions(command: str) -> tuple[list[argparse.Action], list[argparse.Action]]:
    """Flags of the command itself, and all of them."""
    parser = argparse.ArgumentParser()
    {"sweep": sweep, "search": search}[command].add_arguments(parser)
    (own,) = [group for group in parser._action_groups if group.title == command]
    return own._group_actions, [action for action in parser._actions if action.option_strings[0] != "-h"]


@lru_cache(maxsize=1)
def _kept() -> dict[str, Any]:
    """What a sweep that asked for `_ASKED` has written down."""
    written: list[dict[str, Any]] = []

    def write(arguments: argparse.Namespace) -> int:
        with ExitStack() as stack:
            options = sweep.read_options(arguments)
            folder = sweep.open_folder(arguments, options, stack)
            asked = {**config(options), "simulate": arguments.simulate}
            folder.write({"config": asked, "slo": _MODEL, "rates": [1.0, 2.0], "points": [], "knee": None})
            written.append(orjson.loads((folder.folder / SWEEP).read_bytes()))
        return 0

    assert run_in_home(["sweep", *_ASKED, "--rates", "1,2", "--sweep-dir", "kept"], write) == "a result"
    return written[0]


@st.composite
def _case(draw: Callable[..., Any]) -> Case:
    if draw(st.integers(0, 3)) == 0:
        kept = draw(mutated_json((_kept(),)) | damaged_bytes(orjson.dumps(_kept())))
        return ["sweep", *_ASKED, "--rates", "1,2", "--sweep-dir", "kept"], kept
    command = draw(st.sampled_from(tuple(_SOUND)))
    own, every = _actions(command)
    arguments = [command, *_ASKED[:6], *_SOUND[command]]
    for action in draw(st.lists(st.sampled_from(own) | st.sampled_from(every), max_size=4)):
        arguments += arguments_of(draw, action)
    return [word.replace("\0", "") for word in arguments], None


def _plans_of_sweep(arguments: argparse.Namespace) -> int:
    """Stand for `sweep`: everything before the first process is started, and the plan of each rate."""
    options = sweep.read_options(arguments)
    with Secrets.of(options.target).hidden(), ExitStack() as stack:
        output_files.check_files(arguments.output_file, arguments.html)
        given = arguments.sweep_dir is not None
        saved = sweep.open_folder(arguments, options, stack).saved if given else {}
        check_server(arguments, options)
        for number, rate in enumerate(read_rates(saved, arguments.rates)[:3]):
            _plan(options, saved.get("slo"), rate, number)
    return 0


def _plans_of_search(arguments: argparse.Namespace) -> int:
    """Stand for `search`: everything before the first process is started, and the plan of its first run."""
    options = search.read_options(arguments)
    with Secrets.of(options.target).hidden(), ExitStack() as stack:
        output_files.check_files(arguments.output_file, None)
        if arguments.search_dir is not None:
            stack.enter_context(open_search_dir(arguments.search_dir))
        check_server(arguments, options)
        _plan(options, None, arguments.start_rate or 1.0, 0, _COUNT)
    return 0


def _plan(options: BenchOptions, slo: Any, rate: float, number: int, count: int | None = None) -> None:
    """Make the plan of one run, unless that is great work, or of a data set that would have to be downloaded."""
    asked = replace(options, arrivals=replace(options.arrivals, rate=rate))
    if options.data.dataset != "random" or not is_small(asked):
        return

    def run_at_rate(plan: Plan, options: BenchOptions, _folder: Path | None) -> CompletedRun:
        assert len(plan) > 0
        check_shown(options)
        return CompletedRun(cast("Result", {"slo": {}}), False, ())

    Runner(options, run_at_rate, slo=slo).run(rate, None, number, count)


_PLANS: Final = {"sweep": _plans_of_sweep, "search": _plans_of_search}


def check(case: Case) -> str:
    """Run one command line as far as its plans."""
    arguments, kept = case

    def plans(namespace: argparse.Namespace) -> int:
        if kept is not None:
            Path("kept").mkdir()
            Path("kept", SWEEP).write_bytes(kept)
        return _PLANS[arguments[0]](namespace)

    return run_in_home(arguments, plans)


RATES: Final = Target("sweep and search", 3, st.deferred(_case), check)
