"""The command `loadgen bench`: options, plan, run, report, exit code."""

import argparse
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

from rich.console import Console

from collector import metrics
from collector.printable import printable
from collector.report import json, progress, terminal
from collector.report.html.page import page
from collector.report.html.series import Series
from collector.saved import read_run
from loadgen.command import output, usage
from loadgen.command.exits import exit_code
from loadgen.group import Member
from loadgen.interrupts import Interrupts
from loadgen.options import VIDEO_TASKS, BenchOptions
from loadgen.plan import Plan, build_plan
from loadgen.reach import wait_for_servers
from loadgen.run import Measured, run
from loadgen.secrets import Secrets
from loadgen.simulated import attended, parse_simulator
from loadgen.target import resolve_all

Tell = Callable[[str], None]
ENCODED_AT_ONCE: Final = 50_000  # plans longer than this say how far they are


def bench(arguments: argparse.Namespace) -> int:
    """Carry out `loadgen bench`; return its exit code."""
    options = usage.read_options(arguments)
    output.check_files(arguments.output_file, arguments.html)
    output.check_save_dir(arguments.save_dir)
    secrets = Secrets.of(options.target)
    errors = Console(stderr=True, highlight=False)
    people = errors if output.STDOUT in (arguments.output_file, arguments.html) else Console(highlight=False)
    tell = _silence if arguments.disable_tqdm else _teller(errors, secrets)
    with ExitStack() as stack:
        interrupts = stack.enter_context(Interrupts())  # ends last: a second Ctrl-C must not cost the report
        stack.enter_context(secrets.hidden())
        run_dir = _run_dir(arguments, stack)
        measured = _measure(arguments, options, tell, errors, run_dir, interrupts)
        return _report(arguments, measured, run_dir, people, _teller(people, secrets))


def _measure(
    arguments: argparse.Namespace,
    options: BenchOptions,
    tell: Tell,
    errors: Console,
    run_dir: Path | None,
    interrupts: Interrupts,
) -> Measured:
    with ExitStack() as stack:
        watched: tuple[Member, ...] = ()
        if arguments.simulate is not None:
            media = "video" if options.data.task in VIDEO_TASKS else "image"
            url, server = stack.enter_context(attended(parse_simulator(arguments.simulate, media)))
            watched = (server,)
            options = replace(options, target=replace(options.target, base_url=url, further_urls=()))
        wait_for_servers(resolve_all(options.target), arguments.wait_for_server, tell)
        plan = build_plan(options.data, options.arrivals, options.target, options.warmup, progress=_encoding(tell))
        _announce(plan, options, tell)
        display = progress.progress(enabled=not arguments.disable_tqdm, console=errors)
        started = lambda: stack.enter_context(display)  # noqa: E731  (at time zero)
        return run(plan, options, display.show, tell, started, run_dir, watched, interrupts)


def _report(
    arguments: argparse.Namespace, measured: Measured, run_dir: Path | None, people: Console, tell: Tell
) -> int:
    content = json.dump(measured.result)
    try:
        output.write(arguments.output_file, content)
    finally:  # where that fails, this is what is left
        output.show(lambda: _print(arguments, measured, people, tell), content)
    if arguments.html is not None:
        assert run_dir is not None
        output.write(arguments.html, _page(measured, run_dir), output.PAGE)
    return exit_code(measured.result, measured, arguments.strict, arguments.min_slo_attainment)


def _run_dir(arguments: argparse.Namespace, stack: ExitStack) -> Path | None:
    """Where the run is saved: where the user says, or for as long as the page needs it."""
    if arguments.run_dir is None and arguments.html is not None:
        folder = tempfile.TemporaryDirectory(prefix="loadgen-run-", ignore_cleanup_errors=True)
        return Path(stack.enter_context(folder)) / "run"
    return None if arguments.run_dir is None else Path(arguments.run_dir)


def _page(measured: Measured, run_dir: Path) -> bytes:
    saved = read_run(run_dir)
    moved = metrics.moved(saved.scrapes, saved.facts.started_ns)
    return page(measured.result, Series.of_run(saved.records, saved.facts, saved.facts.hiccups), moved)


def _announce(plan: Plan, options: BenchOptions, tell: Tell) -> None:
    if len(plan) < plan.wanted and options.arrivals.duration_s is None:
        tell(f"the trace is replayed once: its {len(plan)} rows will be sent, not {plan.wanted} requests")
    pace = f"over {plan.span_s:.3g} s" if options.arrivals.planned else "as fast as the budget allows"
    shape = options.data.shape
    if (shape.width is None) != (shape.height is None):
        tell("only one of --width and --height is given, so no size at all is sent: the server decides")
    senders, permits = options.traffic.senders, options.traffic.max_concurrency
    tell(f"{len(plan)} requests from {plan.source}, {pace}, at most {permits} in flight, {senders} sender(s)")


def _print(arguments: argparse.Namespace, measured: Measured, people: Console, tell: Tell) -> None:
    terminal.render(measured.result, people)
    if measured.unwritten:
        kept = "the figures above are whole, but what is saved there is not; make room and run again"
        tell(f"--run-dir {arguments.run_dir}: {measured.unwritten}; {kept}")


def _encoding(tell: Tell) -> Callable[[int, int], None]:
    def progressed(done: int, total: int) -> None:
        if done and done % ENCODED_AT_ONCE == 0:
            tell(f"encoded {done} of {total} requests")

    return progressed


def _teller(console: Console, secrets: Secrets) -> Tell:
    """Tells a line; where nobody's terminal decides the width, lines are not broken."""
    return lambda text: console.print(printable(secrets.hide(text)), markup=False, soft_wrap=not console.is_terminal)


def _silence(_: str) -> None:
    pass
