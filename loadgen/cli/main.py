"""The command line: one subcommand each for making load and for the simulated server."""

import argparse
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from types import FrameType, MappingProxyType
from typing import Final, NoReturn

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

# a secret behind a flag that was not typed as it is called: --api-ky KEY, --apikey=KEY
_MISTYPED: Final = re.compile(r"(--?[\w-]*(?:key|api|auth|token|header|secret|passw?)[\w-]*[ =])\S+", re.IGNORECASE)
SERVE_EXAMPLES = """\
examples:
  two replicas, each busy for 200 ms and more by size, at random
    loadgen serve --replicas 2 --base-ms 200 --unit-ms 0.0005 --service exponential

  then, in another terminal
    loadgen bench --task t2i --dataset random --num-prompts 100 --request-rate 5 --max-concurrency 20
"""


def main(
    words: Sequence[str],
    run: Callable[[argparse.Namespace], int] | None = None,
    defaults: Mapping[str, object] = MappingProxyType({}),
) -> int:
    """Run one command line; every fault is one line and a code.

    `run` replaces what is done with the flags, of whichever command, and `defaults` those of the flags of `bench`.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _terminated)
    forgive_streams()
    file_descriptors.raise_limit()
    try:
        arguments = _parser(defaults).parse_args(words)
        return int((run or arguments.run)(arguments))
    except (LoadgenError, RunError) as fault:
        print(f"loadgen: {printable(str(fault))}", file=sys.stderr)  # noqa: T201
        return fault.exit_code
    except MemoryError:
        print("loadgen: not enough memory for this plan; lower --num-prompts or --duration", file=sys.stderr)  # noqa: T201
        return USAGE
    except KeyboardInterrupt:
        print("loadgen: interrupted", file=sys.stderr)  # noqa: T201
        return INTERRUPTED
    except BrokenPipeError:  # somebody closed our standard output, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _terminated(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM and the closing of the terminal are Ctrl-C: everything started gets put away."""
    raise KeyboardInterrupt


class _Parser(Parser):
    """Shows no secret either, not even behind a flag that was mistyped."""

    def error(self, message: str) -> NoReturn:
        super().error(Secrets().hide(_MISTYPED.sub(r"\1" + HIDDEN, message)))


def _parser(defaults: Mapping[str, object]) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="loadgen",
        description="Open-loop load generator for image and video generation servers: sends on time, counts honestly.",
        epilog="start with: loadgen bench --simulate --dataset random --task t2i --request-rate 5",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_bench(commands, defaults)
    serve = _command(commands, "serve", "a simulated server, to try things out against", SERVE_EXAMPLES)
    simulator.add_arguments(serve)
    serve.set_defaults(run=_serve)
    sweep.add_arguments(_command(commands, "sweep", "one benchmark at one rate after another", sweep.EXAMPLES))
    search.add_arguments(_command(commands, "search", "the highest rate that meets a target", search.EXAMPLES))
    saved = _command(commands, "report", "look at saved runs again, with other questions", report_flags.EXAMPLES)
    report_flags.add_arguments(saved)
    saved.set_defaults(run=report.run)
    held = _command(commands, "compare", "what differs between two runs, and how sure that is", compare.EXAMPLES)
    compare.add_arguments(held)
    held.set_defaults(run=compare.run)
    return parser


def _add_bench(commands: "argparse._SubParsersAction[_Parser]", defaults: Mapping[str, object]) -> None:
    parser = _command(
        commands, "bench", "replay a workload on an open-loop schedule and report on it", load_flags.EXAMPLES
    )
    load_flags.add_arguments(parser)
    parser.set_defaults(run=bench, **defaults)


def _command(
    commands: "argparse._SubParsersAction[_Parser]", name: str, purpose: str, examples: str
) -> argparse.ArgumentParser:
    formatter = argparse.RawDescriptionHelpFormatter
    return commands.add_parser(
        name, help=purpose, description=purpose, epilog=examples, formatter_class=formatter, allow_abbrev=False
    )


def _serve(arguments: argparse.Namespace) -> int:
    from loadgen.simulator.server import serve

    options = simulator.from_arguments(arguments)
    origin = f"{options.scheme}://{options.host}"
    serve(options, lambda port: print(f"serving on {origin}:{port} (Ctrl-C ends it)", flush=True))  # noqa: T201
    return 0
