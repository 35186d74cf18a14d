"""What commands that make load share: whom they talk to, and the server that they talk to it about."""

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from collector.report.terminal import progress
from collector.text.printable import printable
from loadgen.cli import output_files
from loadgen.options import VIDEO_TASKS, BenchOptions
from loadgen.planning.plan import Plan
from loadgen.processes.child_processes import ChildProcess
from loadgen.processes.simulated_server import attended, parse_simulator
from loadgen.runs.health_check import wait_for_servers
from loadgen.runs.run import CompletedRun, Tell, run
from loadgen.secrets import Secrets
from loadgen.system.interrupts import Interrupts
from loadgen.transport.target import resolve_all


@dataclass(slots=True)
class Session:
    """One command: reports go to `people`, what goes on meanwhile to `errors`; no secret shows in either.

    `watched` are processes without which there is no point in going on.
    """

    arguments: argparse.Namespace
    options: BenchOptions
    secrets: Secrets
    errors: Console
    people: Console
    watched: tuple[ChildProcess, ...] = ()

    @classmethod
    @contextmanager
    def of(cls, arguments: argparse.Namespace, options: BenchOptions) -> Iterator["Session"]:
        """Open a session; faults that come through here have no secrets in their messages."""
        secrets, errors = Secrets.of(options.target), Console(stderr=True, highlight=False)
        taken = output_files.STDOUT in (arguments.output_file, arguments.html)
        with secrets.hidden():
            yield cls(arguments, options, secrets, errors, errors if taken else Console(highlight=False))

    def tell(self, text: str) -> None:
        """Say what goes on, unless that was turned off."""
        if not self.arguments.disable_tqdm:
            self.teller(self.errors)(text)

    def teller(self, console: Console) -> Tell:
        """Tells a line; where nobody's terminal decides the width, lines are not broken."""
        return lambda text: console.print(
            printable(self.secrets.hide(text)), markup=False, soft_wrap=not console.is_terminal
        )

    def reach_server(self, stack: ExitStack) -> BenchOptions:
        """Start the simulated server if one is asked for, or see that there is one; return options with its URL."""
        if self.arguments.simulate is not None:
            media = "video" if self.options.data.task in VIDEO_TASKS else "image"
            url, server = stack.enter_context(attended(parse_simulator(self.arguments.simulate, media)))
            self.watched = (server,)
            self.options = replace(self.options, target=replace(self.options.target, base_url=url, further_urls=()))
        wait_for_servers(resolve_all(self.options.target), self.arguments.wait_for_server, self.tell)
        return self.options

    def run_at_rate(
        self, plan: Plan, options: BenchOptions, run_dir: Path | None, interrupts: Interrupts | None = None
    ) -> CompletedRun:
        """Run the plan under a progress display that begins at time zero."""
        with ExitStack() as stack:
            display = progress.progress(enabled=not self.arguments.disable_tqdm, console=self.errors)
            started = lambda: stack.enter_context(display)  # noqa: E731
            return run(plan, options, display.show, self.tell, started, run_dir, self.watched, interrupts)
