"""The command line: parses arguments, runs one subcommand, and turns errors into one line and an exit code."""

import argparse
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import FrameType, MappingProxyType
from typing import Any, Final, NoReturn

from collector.cli import flags as report_flags
from collector.cli import report as report
from collector.cli.parser import Parser
from collector.errors import RunError
from collector.text.printable import forgive_streams, printable
from loadgen import __version__
from loadgen.cli import compare, load_flags, search, sweep
from loadgen.cli.bench import bench
from loadgen.cli.exit_codes import INTERRUPTED, USAGE
from loadgen.errors import LoadgenError
from loadgen.secrets import HIDDEN, Secrets
from loadgen.simulator.engine import options as simulator
from loadgen.system import file_descriptors

# a secret after a mistyped flag: --api-ky KEY, --apikey=KEY
_MISTYPED: Final = re.compile(r"(--?[\w-]*(?:key|api|auth|token|header|secret|passw?)[\w-]*[ =])\S+", re.IGNORECASE)
SERVE_EXAMPLES = """\
examples:
  two replicas with exponential service times: 200 ms on
  average, and more for larger images
    loadgen serve --replicas 2 --base-ms 200 \\
      --unit-ms 0.0005 --service exponential

  then, in another terminal
    loadgen bench --task t2i --dataset random \\
      --num-prompts 100 --request-rate 5 \\
      --max-concurrency 20
"""


def main(
    arguments: Sequence[str],
    run: Callable[[argparse.Namespace], int] | None = None,
    defaults: Mapping[str, object] = MappingProxyType({}),
) -> int:
    """Run one command line and return its exit code; every error is printed as one line.

    `run` replaces the function of the subcommand, `defaults` replace defaults of flags of `bench`.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _terminated)
    forgive_streams()
    file_descriptors.raise_limit()
    try:
        parsed = _parser(defaults).parse_args(arguments)
        return int((run or parsed.run)(parsed))
    except (LoadgenError, RunError) as fault:
        print(f"loadgen: {printable(str(fault))}", file=sys.stderr)  # noqa: T201
        return fault.exit_code
    except MemoryError:
        print("loadgen: not enough memory for this plan; lower --num-prompts or --duration", file=sys.stderr)  # noqa: T201
        return USAGE
    except KeyboardInterrupt:
        print("loadgen: interrupted", file=sys.stderr)  # noqa: T201
        return INTERRUPTED
    except BrokenPipeError:  # the reader closed the pipe, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _terminated(_number: int, _frame: FrameType | None) -> None:
    """Treat SIGTERM and a closed terminal as Ctrl-C, so that everything started is stopped and cleaned up."""
    raise KeyboardInterrupt


class _Parser(Parser):
    """Hides secrets in its error messages, even those after a mistyped flag."""

    def error(self, message: str) -> NoReturn:
        super().error(Secrets().hide(_MISTYPED.sub(r"\1" + HIDDEN, message)))


def _parser(defaults: Mapping[str, object]) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="loadgen",
        description="Open-loop load generator for image and video servers.",
        epilog="start with:\n  loadgen bench --simulate --dataset random --task t2i \\\n    --request-rate 5",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    add = partial(_add, commands)
    add("bench", "send a workload on an open-loop schedule and report", load_flags, bench, "[FLAG ...]").set_defaults(
        **defaults
    )
    add("serve", "start a simulated server", simulator, _serve, examples=SERVE_EXAMPLES)
    add("sweep", "run a benchmark at several rates", sweep, sweep.sweep, "--rates R,R [FLAG ...]")
    usage = "--min-attainment P --time-limit S [FLAG ...]"
    add("search", "find the highest rate that meets an SLO target", search, search.search, usage)
    add("report", "report saved runs again, with other targets or percentiles", report_flags, report.run)
    add("compare", "compare two runs or sweeps, with intervals", compare, compare.run)
    return parser


def _add(
    commands: "argparse._SubParsersAction[_Parser]",
    name: str,
    summary: str,
    flags: Any,
    run: Callable[[argparse.Namespace], int],
    usage: str = "",
    *,
    examples: str = "",
) -> argparse.ArgumentParser:
    """Add a command with the flags (and examples) of a module; `usage` shortens the list of flags."""
    parser = commands.add_parser(
        name,
        help=summary,
        description=summary,
        usage=f"%(prog)s {usage}" if usage else None,
        epilog=examples or flags.EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    flags.add_arguments(parser)
    parser.set_defaults(run=run)
    return parser


def _serve(arguments: argparse.Namespace) -> int:
    from loadgen.simulator.server import serve

    options = simulator.from_arguments(arguments)
    origin = f"{options.scheme}://{options.host}"
    serve(options, lambda port: print(f"serving on {origin}:{port} (Ctrl-C stops it)", flush=True))  # noqa: T201
    return 0
