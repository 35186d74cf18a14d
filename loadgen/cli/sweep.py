"""The command `loadgen sweep`: one benchmark at one rate after another."""

import argparse
from contextlib import ExitStack
from typing import Final

from collector.report import json
from collector.report.html.sweep import page
from collector.report.terminal import sweep as report
from loadgen.cli import bench_options, load_flags, output_files
from loadgen.cli.argument_types import not_negative
from loadgen.cli.exit_codes import FAULT, GATE, INTERRUPTED, NOTHING, OK
from loadgen.cli.session import Session
from loadgen.errors import UsageError
from loadgen.options import BenchOptions
from loadgen.runs.run_metadata import config
from loadgen.sweeps.runner import Runner
from loadgen.sweeps.sweep import COOL_DOWN_S, CompletedSweep, kept_in, run_all_rates
from loadgen.sweeps.sweep_folder import SweepDir

EXAMPLES: Final = """\
examples:
  four rates, five minutes each; the same command again goes on where it stopped
    loadgen sweep --base-url http://gpu:8091 --task t2i --dataset trace --dataset-path trace.txt --arrival poisson \\
      --rates 0.1,0.5,1,2 --duration 300 --slo-ms 4000 --sweep-dir sweeps/tuesday

  try it without a server; rates are chosen from what a closed loop gets through
    loadgen sweep --simulate='--base-ms 20 --service exponential' --task t2i --dataset random --arrival poisson \\
      --rates auto --num-prompts 200 --slo-ms 100

Takes every flag of `loadgen bench` but those that say a rate. exit codes: those of `loadgen bench`
"""
PERMITS: Final = 1024  # a budget that shapes no load until a server is far behind


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `loadgen sweep`."""
    group = parser.add_argument_group("sweep")
    group.add_argument(
        "--rates",
        required=True,
        type=rates,
        metavar="R,R",
        help="requests/s, two or more; or auto: seven from 0.15 to 1.2 times what a closed loop gets through",
    )
    group.add_argument("--sweep-dir", metavar="DIR", help="keep the runs here, a folder a rate, and go on from there")
    add_cool_down(group, COOL_DOWN_S)
    load_flags.add_arguments(parser)
    parser.set_defaults(max_concurrency=PERMITS, run=sweep)


def add_cool_down(group: "argparse._ArgumentGroup", default_s: float) -> None:
    """Add the flag of the pause that a server gets between two runs."""
    group.add_argument(
        "--cool-down",
        type=not_negative,
        default=default_s,
        metavar="S",
        help="pause between runs (default: %(default)s)",
    )


def rates(text: str) -> tuple[float, ...]:
    """Parse rates in requests/s; none for auto."""
    if text.strip() == "auto":
        return ()
    try:
        found = sorted({float(f"{float(part):.6g}") for part in text.split(",")})
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not auto, nor rates such as 0.1,0.5,1") from None
    if not all(0 < rate <= 1e9 for rate in found):  # nan is none of these, wherever it stands
        raise argparse.ArgumentTypeError(f"{text}: a rate is above 0, and a billion at most")
    if len(found) < 2:
        raise argparse.ArgumentTypeError(f"{text}: a sweep has two rates or more; one is for loadgen bench")
    return tuple(found)


def sweep(arguments: argparse.Namespace) -> int:
    """Carry out `loadgen sweep`; return its exit code."""
    options = read_options(arguments)
    output_files.check_files(arguments.output_file, arguments.html)
    with ExitStack() as stack:
        session = stack.enter_context(Session.of(arguments, options))
        folder = open_folder(arguments, options, stack)
        runner = Runner(session.reach_server(stack), session.run_at_rate, arguments.cool_down, folder.slo)
        swept = run_all_rates(runner, folder, arguments.rates, session.tell)
        output_files.write(arguments.output_file, json.dump(swept.result))
        report.render(swept.result, session.people)
        if arguments.html is not None:
            output_files.write(arguments.html, page(swept.result), output_files.PAGE)
    return _exit_code(swept, arguments.strict)


def read_options(arguments: argparse.Namespace) -> BenchOptions:
    """Read the options of a benchmark whose rate is said elsewhere; UsageError for flags that say one."""
    a = arguments
    for flag, given in (("--rate-series", a.rate_series), ("--run-dir", a.run_dir), ("--save-dir", a.save_dir)):
        if given is not None:
            raise UsageError(f"{flag} is for one run; use loadgen bench, or drop it")
    if arguments.request_rate != float("inf"):
        raise UsageError("--request-rate is for one run; use loadgen bench, or drop it")
    if arguments.arrival == "trace":
        raise UsageError("--arrival trace has the rate of its timestamps; use constant, poisson or gamma")
    if arguments.min_slo_attainment is not None:
        raise UsageError("--min-slo-attainment is a gate for one run; loadgen search finds the rate that meets it")
    arguments.request_rate = 1.0  # stands for those to come
    return bench_options.read_options(arguments)


def open_folder(arguments: argparse.Namespace, options: BenchOptions, stack: ExitStack) -> SweepDir:
    """Open the folder of `--sweep-dir`, or one for as long as `stack` lasts; UsageError where it cannot be used."""
    return stack.enter_context(kept_in(arguments.sweep_dir, {**config(options), "simulate": arguments.simulate}))


def _exit_code(swept: CompletedSweep, strict: bool) -> int:
    if swept.interrupted or swept.died:
        return INTERRUPTED if swept.interrupted else FAULT
    points = swept.result["points"]
    if not any(point["requests"] > point["failed"] for point in points):
        return NOTHING
    return GATE if strict and any(point["state"] != "VALID" for point in points) else OK
