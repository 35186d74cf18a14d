"""The command `loadgen search`: the highest rate that meets a target, within a time limit."""

import argparse
import time
from contextlib import ExitStack
from typing import Final

from collector.report import json
from collector.report.terminal import search as report
from loadgen.cli import load_flags, output_files, sweep
from loadgen.cli.argument_types import inner_share, positive
from loadgen.cli.exit_codes import FAULT, GATE, INTERRUPTED, NOTHING, OK, last_line
from loadgen.cli.session import Session
from loadgen.errors import UsageError
from loadgen.options import BenchOptions
from loadgen.runs.run_metadata import config
from loadgen.search.options import COOL_DOWN_S, PRECISION, SearchOptions
from loadgen.search.result import SearchResult
from loadgen.search.search import Search, check_targets, open_search_dir, with_placeholder_length

EXAMPLES: Final = """\
examples:
  the highest rate at which 99 % of the requests take 4 s or
  less, found within an hour
    loadgen search --base-url http://gpu:8091 --task t2i \\
      --dataset trace --dataset-path trace.txt \\
      --arrival poisson --slo-ms 4000 \\
      --min-attainment 0.99 --time-limit 3600 \\
      --output-file bracket.json

  try it without a server
    loadgen search \\
      --simulate='--base-ms 4 --service exponential' \\
      --task t2i --dataset random --arrival poisson \\
      --slo-ms 20 --min-attainment 0.9 --time-limit 60

All flags of loadgen bench work here, except those that set
a rate or a length.

exit codes: those of loadgen bench; with --strict 3 if an
end of the bracket is unknown
"""


_CODES: Final = {"interrupted": INTERRUPTED, "fault": FAULT, "warmup": NOTHING}  # by what ended a search


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `loadgen search`."""
    group = parser.add_argument_group("search")
    group.add_argument(
        "--min-attainment",
        required=True,
        type=inner_share,
        metavar="P",
        help="share of requests that must meet their target, 0.5 to 0.9999",
    )
    group.add_argument(
        "--time-limit",
        required=True,
        type=positive,
        metavar="S",
        help="duration of the search in seconds, 15 or more",
    )
    group.add_argument(
        "--start-rate", type=positive, metavar="R", help="first rate to test, in requests/s (default: half of capacity)"
    )
    group.add_argument(
        "--precision",
        type=positive,
        default=PRECISION,
        metavar="X",
        help="stop once the ends of the bracket are within this factor (default: %(default)s)",
    )
    group.add_argument("--search-dir", metavar="DIR", help="save the runs in this new folder, one folder each")
    sweep.add_cool_down(group, COOL_DOWN_S)
    load_flags.add_arguments(parser)
    parser.set_defaults(max_concurrency=sweep.MAX_CONCURRENCY)


def search(arguments: argparse.Namespace) -> int:
    """Run `loadgen search`; return its exit code."""
    a, began_s = arguments, time.monotonic()
    options = read_options(a)
    output_files.check_files(a.output_file, None)
    with ExitStack() as stack:
        session = stack.enter_context(Session.of(a, options))
        folder = stack.enter_context(open_search_dir(a.search_dir))
        searching = Search(_search_options(a, began_s), options, session.run_at_rate, folder, session.notify)
        searching.run(session.reach_server)
        result = searching.result({**config(options), "simulate": a.simulate})
        output_files.write(a.output_file, json.dump(result))
        report.render(result, session.report_console)
        code, last = _outcome(result, a.strict)
        session.report_last(last)
    return code


def read_options(arguments: argparse.Namespace) -> BenchOptions:
    """Return the options of the runs, their rate and length being placeholders; UsageError if flags set either."""
    options = sweep.read_options(arguments)
    for flag, given in (("--num-prompts", arguments.num_prompts), ("--duration", arguments.duration)):
        if given is not None:
            raise UsageError(f"{flag}: a search chooses the length of its runs from --time-limit; drop {flag}")
    if arguments.max_error_rate is not None:
        raise UsageError("--max-error-rate: in a search a failed request has missed its target already; drop it")
    _search_options(arguments, 0.0).check()
    check_targets(options)
    if arguments.html is not None:
        raise UsageError("--html: a search has no page; drop it, or use loadgen sweep")
    return with_placeholder_length(options)


def _search_options(a: argparse.Namespace, began_s: float) -> SearchOptions:
    return SearchOptions(a.min_attainment, a.time_limit, began_s, a.confidence, a.precision, a.start_rate, a.cool_down)


def _outcome(result: SearchResult, strict: bool) -> tuple[int, str]:
    """Return the exit code and, for a failed gate, the line that says why."""
    if code := _CODES.get(result["ended"]):
        return code, ""
    holds, fails = result["bracket"]
    if not strict or (holds and fails):
        return OK, ""
    missing = [f"no rate is shown to {what}" for what, rate in (("hold", holds), ("fail", fails)) if rate is None]
    return GATE, last_line([f"{' and '.join(missing)}, --strict asks for both ends of the bracket"])
