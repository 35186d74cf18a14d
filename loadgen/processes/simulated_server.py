"""`--simulate`: a simulated server on a free loopback port, for the duration of one command."""

import dataclasses
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from collector.cli.parser import Parser
from loadgen.errors import UsageError
from loadgen.processes.child_processes import ChildProcess, ChildProcesses
from loadgen.simulator.engine import options as simulator

_START_S = 30.0


class _Parser(Parser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"--simulate: {message}; see `loadgen serve --help` for its flags")


def parse_simulator(text: str, media: str) -> simulator.SimulatorOptions:
    """Parse the value of `--simulate`, which holds flags of `loadgen serve`; `media` is the kind the task needs."""
    parser = _Parser(add_help=False)
    simulator.add_arguments(parser)
    parser.set_defaults(port=0, media=media)
    try:
        arguments = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"--simulate {text!r}: {error}") from None
    return simulator.from_arguments(parser.parse_args(arguments))


@contextmanager
def simulated(options: simulator.SimulatorOptions) -> Iterator[str]:
    """Run a simulated server; yield its base URL."""
    with running_simulator(options) as (url, _):
        yield url


@contextmanager
def running_simulator(options: simulator.SimulatorOptions) -> Iterator[tuple[str, ChildProcess]]:
    """Run a simulated server; yield its base URL, and its process so that a run can watch it."""
    with ChildProcesses(sockets=False) as processes:
        server = processes.start("simulator", "loadgen.simulator", options=dataclasses.asdict(options))
        ready = processes.wait_for("ready", [server], _START_S)[server]
        yield f"{options.scheme}://{options.host}:{ready['port']}", server
