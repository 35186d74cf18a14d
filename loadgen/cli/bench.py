"""The command `loadgen bench`: options, plan, run, report, exit code."""

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from collector.report import json
from collector.report.saved_report import html_page
from collector.report.terminal import run_report
from collector.saved.run_folder import read_run
from loadgen.cli import bench_options, output_files
from loadgen.cli.exit_codes import exit_code
from loadgen.cli.session import Session
from loadgen.options import BenchOptions
from loadgen.planning.plan import Plan, build_plan
from loadgen.runs.run import CompletedRun, Tell
from loadgen.system.interrupts import Interrupts
from loadgen.system.temporary_folder import temporary_folder

ENCODED_AT_ONCE: Final = 50_000  # plans longer than this say how far they are


def bench(arguments: argparse.Namespace) -> int:
    """Carry out `loadgen bench`; return its exit code."""
    options = bench_options.read_options(arguments)
    output_files.check_files(arguments.output_file, arguments.html)
    output_files.check_save_dir(arguments.save_dir)
    with ExitStack() as stack:
        interrupts = stack.enter_context(Interrupts())  # ends last: a second Ctrl-C must not cost the report
        session = stack.enter_context(Session.of(arguments, options))
        run_dir = _run_dir(arguments, stack)
        measured = _measure(session, run_dir, interrupts)
        return _report(session, measured, run_dir)


def _measure(session: Session, run_dir: Path | None, interrupts: Interrupts) -> CompletedRun:
    with ExitStack() as stack:
        options, tell = session.reach_server(stack), session.tell
        plan = build_plan(options.data, options.arrivals, options.target, options.warmup, progress=_encoding(tell))
        _announce(plan, options, tell)
        return session.run_at_rate(plan, options, run_dir, interrupts)


def _report(session: Session, measured: CompletedRun, run_dir: Path | None) -> int:
    arguments, content = session.arguments, json.dump(measured.result)
    try:
        output_files.write(arguments.output_file, content)
    finally:  # where that fails, this is what is left
        output_files.show(lambda: _print(session, measured), content)
    if arguments.html is not None:
        assert run_dir is not None
        saved = read_run(run_dir)
        output_files.write(arguments.html, html_page(measured.result, saved, saved.info), output_files.PAGE)
    return exit_code(measured.result, measured, arguments.strict, arguments.min_slo_attainment)


def _run_dir(arguments: argparse.Namespace, stack: ExitStack) -> Path | None:
    """Where the run is saved: where the user says, or for as long as the page needs it."""
    if arguments.run_dir is None and arguments.html is not None:
        return stack.enter_context(temporary_folder("loadgen-run-")) / "run"
    return None if arguments.run_dir is None else Path(arguments.run_dir)


def _announce(plan: Plan, options: BenchOptions, tell: Tell) -> None:
    if len(plan) < plan.wanted and options.arrivals.duration_s is None:
        tell(f"the trace is replayed once: its {len(plan)} rows will be sent, not {plan.wanted} requests")
    pace = f"over {plan.span_s:.3g} s" if options.arrivals.planned else "as fast as the budget allows"
    shape = options.data.shape
    if (shape.width is None) != (shape.height is None):
        tell("only one of --width and --height is given, so no size at all is sent: the server decides")
    senders, permits = options.traffic.senders, options.traffic.max_concurrency
    tell(f"{len(plan)} requests from {plan.source}, {pace}, at most {permits} in flight, {senders} sender(s)")


def _print(session: Session, measured: CompletedRun) -> None:
    run_report.render(measured.result, session.people)
    if measured.unwritten:
        kept = "the figures above are whole, but what is saved there is not; make room and run again"
        tell = session.teller(session.people)
        place = f"--run-dir {session.arguments.run_dir}" if session.arguments.run_dir else "--html, in $TMPDIR"
        tell(f"{place}: {measured.unwritten}; {kept}")


def _encoding(tell: Tell) -> Callable[[int, int], None]:
    def progressed(done: int, total: int) -> None:
        if done and done % ENCODED_AT_ONCE == 0:
            tell(f"encoded {done} of {total} requests")

    return progressed
