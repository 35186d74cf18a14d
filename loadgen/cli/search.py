"""The command `loadgen search`: the highest rate that meets a target, within a budget of time."""

import argparse
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from collector.report import json
from collector.report.terminal import search as report
from loadgen.cli import load_flags, output_files, sweep
from loadgen.cli.argument_types import inner_share, positive
from loadgen.cli.exit_codes import FAULT, GATE, INTERRUPTED, OK
from loadgen.cli.session import Session
from loadgen.errors import UsageError
from loadgen.options import BenchOptions
from loadgen.runs.run_metadata import config
from loadgen.search.limits import COOL_DOWN_S, PRECISION, SearchLimits
from loadgen.search.result import SearchResult
from loadgen.search.search import Search, kept_in, without_length

EXAMPLES: Final = """\
examples:
  the highest rate at which 99 % of the requests take 4 s at most, found in an hour
    loadgen search --base-url http://gpu:8091 --task t2i --dataset trace --dataset-path trace.txt --arrival poisson \\
      --slo-ms 4000 --min-attainment 0.99 --budget 3600 --output-file bracket.json

  try it without a server
    loadgen search --simulate='--base-ms 4 --service exponential' --task t2i --dataset random --arrival poisson \\
      --slo-ms 20 --min-attainment 0.9 --budget 60

Takes every flag of `loadgen bench` but those that say a rate or a length. exit codes: those of `loadgen bench`, 3 with
--strict where an end of the bracket is not known
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `loadgen search`."""
    group = parser.add_argument_group("search")
    group.add_argument(
        "--min-attainment", required=True, type=inner_share, metavar="P", help="share of requests to meet their target"
    )
    group.add_argument("--budget", required=True, type=positive, metavar="S", help="never take longer than this")
    group.add_argument(
        "--start-rate",
        type=positive,
        metavar="R",
        help="look here first (default: half of what a closed loop gets through)",
    )
    group.add_argument(
        "--precision",
        type=positive,
        default=PRECISION,
        metavar="X",
        help="stop where the ends of the bracket are within this factor (default: %(default)s)",
    )
    group.add_argument("--search-dir", metavar="DIR", help="keep the runs here, a folder each")
    sweep.add_cool_down(group, COOL_DOWN_S)
    load_flags.add_arguments(parser)
    parser.set_defaults(max_concurrency=sweep.PERMITS, run=search)


def search(arguments: argparse.Namespace) -> int:
    """Carry out `loadgen search`; return its exit code."""
    a, begun_s = arguments, time.monotonic()
    options, terms = read_options(a), _terms(a, begun_s)
    output_files.check_files(a.output_file, None)
    with ExitStack() as stack:
        session = stack.enter_context(Session.of(a, options))
        hunted = Search(terms, options, session.run_at_rate, open_folder(a.search_dir, stack), session.tell)
        hunted.go(session.reach_server)
        found = hunted.found({**config(options), "simulate": a.simulate})
        output_files.write(a.output_file, json.dump(found))
        report.render(found, session.people)
    return _exit_code(found, a.strict)


def read_options(arguments: argparse.Namespace) -> BenchOptions:
    """Read the options of a benchmark whose rate and length are to be found; UsageError for what cannot be searched."""
    options = sweep.read_options(arguments)
    for flag, given in (("--num-prompts", arguments.num_prompts), ("--duration", arguments.duration)):
        if given is not None:
            raise UsageError(f"{flag}: how long runs are follows from --budget; drop it")
    _terms(arguments, 0.0).check()
    if arguments.html is not None:
        raise UsageError("--html is for a run or a sweep; drop it")
    return without_length(options)


def open_folder(place: str | None, stack: ExitStack) -> Path:
    """Make the folder of `--search-dir`, or one for as long as `stack` lasts; UsageError where it cannot be used."""
    return stack.enter_context(kept_in(place))


def _terms(a: argparse.Namespace, begun_s: float) -> SearchLimits:
    return SearchLimits(a.min_attainment, a.budget, begun_s, a.confidence, a.precision, a.start_rate, a.cool_down)


def _exit_code(found: SearchResult, strict: bool) -> int:
    if found["ended"] in ("interrupted", "fault"):
        return INTERRUPTED if found["ended"] == "interrupted" else FAULT
    return GATE if strict and None in found["bracket"] else OK
