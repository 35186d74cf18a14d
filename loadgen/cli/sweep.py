"""The command `loadgen sweep`: one benchmark at one rate after another."""

import argparse
from collections import Counter
from contextlib import ExitStack
from typing import Final

from collector.report import json
from collector.report.html.sweep import page
from collector.report.terminal import sweep as report
from loadgen.cli import bench_options, load_flags, output_files
from loadgen.cli.argument_types import not_negative
from loadgen.cli.exit_codes import FAULT, GATE, INTERRUPTED, NOTHING, OK, Gates, last_line, nothing_succeeded
from loadgen.cli.session import Session
from loadgen.errors import UsageError
from loadgen.options import BenchOptions
from loadgen.runs.run_metadata import config
from loadgen.sweeps.runner import Runner
from loadgen.sweeps.sweep import COOL_DOWN_S, CompletedSweep, open_sweep_dir, run_all_rates
from loadgen.sweeps.sweep_folder import SweepDir

EXAMPLES: Final = """\
examples:
  four rates, five minutes each; the same command again
  continues an interrupted sweep
    loadgen sweep --base-url http://gpu:8091 --task t2i \\
      --dataset trace --dataset-path trace.txt \\
      --arrival poisson --rates 0.1,0.5,1,2 --duration 300 \\
      --slo-ms 4000 --sweep-dir sweeps/tuesday

  try it without a server, at rates around its capacity
    loadgen sweep \\
      --simulate='--base-ms 20 --service exponential' \\
      --task t2i --dataset random --arrival poisson \\
      --rates auto --num-prompts 200 --slo-ms 100

All flags of loadgen bench work here, except those that set
a rate.

exit codes: those of loadgen bench
"""
MAX_CONCURRENCY: Final = 1024  # so much that it delays nothing until the server is far behind


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `loadgen sweep`."""
    group = parser.add_argument_group("sweep")
    group.add_argument(
        "--rates",
        required=True,
        type=rates,
        metavar="R,R",
        help="two or more rates in requests/s; auto: seven from 0.15 to 1.2 times the capacity in a closed loop",
    )
    group.add_argument(
        "--sweep-dir", metavar="DIR", help="save the runs here, one folder per rate; continues a sweep that is there"
    )
    add_cool_down(group, COOL_DOWN_S)
    load_flags.add_arguments(parser)
    parser.set_defaults(max_concurrency=MAX_CONCURRENCY)


def add_cool_down(group: "argparse._ArgumentGroup", default_s: float) -> None:
    """Add the flag of the pause between two runs."""
    group.add_argument(
        "--cool-down",
        type=not_negative,
        default=default_s,
        metavar="S",
        help="pause between runs in seconds (default: %(default)s)",
    )


def rates(text: str) -> tuple[float, ...]:
    """Parse rates in requests/s; none for auto."""
    if text.strip() == "auto":
        return ()
    try:
        parsed = sorted({float(f"{float(part):.6g}") for part in text.split(",")})
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not auto, nor rates such as 0.1,0.5,1") from None
    if not all(0 < rate <= 1e9 for rate in parsed):  # which nan is not either
        raise argparse.ArgumentTypeError(f"{text}: each rate must be above 0, up to a billion requests/s")
    if len(parsed) < 2:
        raise argparse.ArgumentTypeError(f"{text}: give two rates or more; for one, use loadgen bench")
    return tuple(parsed)


def sweep(arguments: argparse.Namespace) -> int:
    """Run `loadgen sweep`; return its exit code."""
    options = read_options(arguments)
    output_files.check_files(arguments.output_file, arguments.html)
    with ExitStack() as stack:
        session = stack.enter_context(Session.of(arguments, options))
        folder = open_folder(arguments, options, stack)
        runner = Runner(session.reach_server(stack), session.run_at_rate, arguments.cool_down, folder.slo)
        completed = run_all_rates(runner, folder, arguments.rates, session.notify)
        output_files.write(arguments.output_file, json.dump(completed.result))
        report.render(completed.result, session.report_console)
        if arguments.html is not None:
            output_files.write(arguments.html, page(completed.result), output_files.PAGE)
        code, last = _outcome(completed, Gates.of(arguments))
        session.report_last(last)
    return code


def read_options(arguments: argparse.Namespace) -> BenchOptions:
    """Return the options of the runs, their rate being a placeholder; UsageError for flags of a single run."""
    a = arguments
    for flag, given in (
        ("--rate-series", a.rate_series is not None),
        ("--run-dir", a.run_dir is not None),
        ("--save-dir", a.save_dir is not None),
        ("--request-rate", a.request_rate != float("inf")),
    ):
        if given:
            raise UsageError(f"{flag} is for a single run; use loadgen bench, or drop it")
    if a.arrival == "trace":
        raise UsageError("--arrival trace has the rate of its timestamps; use constant, poisson or gamma")
    if a.min_slo_attainment is not None:
        raise UsageError("--min-slo-attainment is a gate of a single run; use loadgen bench, or loadgen search")
    a.request_rate = 1.0  # a placeholder
    return bench_options.read_options(a)


def open_folder(arguments: argparse.Namespace, options: BenchOptions, stack: ExitStack) -> SweepDir:
    """Open the folder of --sweep-dir, or a temporary one until `stack` closes; UsageError if it cannot be used."""
    return stack.enter_context(open_sweep_dir(arguments.sweep_dir, {**config(options), "simulate": arguments.simulate}))


def _outcome(completed: CompletedSweep, gates: Gates) -> tuple[int, str]:
    """Return the exit code and, for 3 and 4, the line that says why."""
    if completed.interrupted or completed.died:
        return INTERRUPTED if completed.interrupted else FAULT, ""
    points = completed.result["points"]
    if completed.warmup_error:
        return NOTHING, completed.warmup_error
    if not any(point["sent"] > point["failed"] for point in points):
        errors = sum((Counter(point["request_errors"]) for point in points), Counter[str]())
        return NOTHING, nothing_succeeded(sum(point["failed"] for point in points), errors)
    failures = gates.failures_of_sweep(points)
    return GATE if failures else OK, last_line(failures)
