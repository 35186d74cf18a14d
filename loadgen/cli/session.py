"""What the commands that make load share: their consoles, and the server that they send to."""

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.text import Text

from collector.report.terminal import progress
from collector.text.printable import printable
from loadgen.cli import bench_options, output_files
from loadgen.options import VIDEO_TASKS, BenchOptions
from loadgen.planning import remarks
from loadgen.planning.plan import Plan
from loadgen.processes.child_processes import ChildProcess
from loadgen.processes.simulated_server import parse_simulator, running_simulator
from loadgen.runs.run import CompletedRun, Notify, run
from loadgen.secrets import Secrets
from loadgen.server.discovery import discover
from loadgen.server.health_check import wait_for_servers
from loadgen.server.target import resolve_all
from loadgen.system.interrupts import Interrupts


@dataclass(slots=True)
class Session:
    """One command: reports go to `report_console`, progress to `status_console`; secrets are hidden in both.

    `required` are processes without which runs end early: the simulated server.
    """

    arguments: argparse.Namespace
    options: BenchOptions
    secrets: Secrets
    status_console: Console
    report_console: Console
    required: tuple[ChildProcess, ...] = ()

    @classmethod
    @contextmanager
    def of(cls, arguments: argparse.Namespace, options: BenchOptions) -> Iterator["Session"]:
        """Open a session; errors raised inside it have no secrets in their messages."""
        secrets, status = Secrets.of(options.target), Console(stderr=True, highlight=False)
        stdout_taken = output_files.STDOUT in (arguments.output_file, arguments.html)
        with secrets.hidden():
            yield cls(arguments, options, secrets, status, status if stdout_taken else Console(highlight=False))

    def notify(self, text: str) -> None:
        """Print a status line, unless --disable-tqdm or a --log-level above INFO is given."""
        if not self.arguments.disable_tqdm and self.arguments.log_level in ("DEBUG", "INFO"):
            self.notify_on(self.status_console)(text)

    def notify_on(self, console: Console) -> Notify:
        """Return a function that prints a line; it is wrapped only on a terminal."""
        return lambda text: console.print(
            printable(self.secrets.hide(text)), markup=False, soft_wrap=not console.is_terminal
        )

    def report_last(self, line: str) -> None:
        """Print the last line of the report, which says why the exit code is not 0; nothing if it is empty."""
        if line:
            console, text = self.report_console, Text(printable(self.secrets.hide(line)), style="bold red")
            console.print(text, soft_wrap=not console.is_terminal)

    def reach_server(self, stack: ExitStack) -> BenchOptions:
        """Start the simulated server if --simulate is given, wait for the server, and return options with its URL."""
        if self.arguments.simulate is not None:
            media = "video" if self.options.data.task in VIDEO_TASKS else "image"
            url, server = stack.enter_context(running_simulator(parse_simulator(self.arguments.simulate, media)))
            self.required = (server,)
            self.options = replace(self.options, target=replace(self.options.target, base_url=url, further_urls=()))
        if not self.arguments.skip_health_check:
            wait_for_servers(resolve_all(self.options.target), self.arguments.wait_for_server, self.notify)
        self.options = discover(self.options)
        bench_options.check_resolved(self.options)
        self.notify(f"server: {self.options.target.discovery}")
        for text in remarks.of_options(self.options):
            self.notify(text)
        return self.options

    def run_at_rate(
        self, plan: Plan, options: BenchOptions, run_dir: Path | None, interrupts: Interrupts | None = None
    ) -> CompletedRun:
        """Run the plan with a progress display from time zero on."""
        with ExitStack() as stack:
            display = progress.progress(enabled=not self.arguments.disable_tqdm, console=self.status_console)
            on_start = lambda: stack.enter_context(display)  # noqa: E731
            return run(plan, options, display.show, self.notify, on_start, run_dir, self.required, interrupts)
