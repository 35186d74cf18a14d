"""The command `loadgen bench`: options, plan, run, report, exit code."""

import argparse
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from collector.report import json
from collector.report.saved_report import html_page
from collector.report.terminal import run_report
from collector.saved.run_folder import read_run
from loadgen.cli import bench_options, output_files
from loadgen.cli.exit_codes import GATE, NOTHING, Gates, exit_code, last_line, nothing_succeeded
from loadgen.cli.session import Session
from loadgen.options import BenchOptions
from loadgen.planning import remarks
from loadgen.planning.plan import Plan, build_plan
from loadgen.runs.run import CompletedRun, Notify
from loadgen.system.interrupts import Interrupts
from loadgen.system.temporary_folder import temporary_folder

PROGRESS_EVERY: Final = 50_000  # encoded requests


def bench(arguments: argparse.Namespace) -> int:
    """Run `loadgen bench`; return its exit code."""
    options = bench_options.read_options(arguments)
    output_files.check_files(arguments.output_file, arguments.html)
    output_files.check_save_dir(arguments.save_dir)
    with ExitStack() as stack:
        interrupts = stack.enter_context(Interrupts())  # closed last: a second Ctrl-C must not cost the report
        session = stack.enter_context(Session.of(arguments, options))
        run_dir = _run_dir(arguments, stack)
        completed = _run(session, run_dir, interrupts)
        return _report(session, completed, run_dir)


def _run(session: Session, run_dir: Path | None, interrupts: Interrupts) -> CompletedRun:
    with ExitStack() as stack:
        options, notify = session.reach_server(stack), session.notify
        progress = _encoding_progress(notify)
        plan = build_plan(options.data, options.arrivals, options.target, options.warmup, progress=progress)
        _announce(plan, options, notify)
        return session.run_at_rate(plan, options, run_dir, interrupts)


def _report(session: Session, completed: CompletedRun, run_dir: Path | None) -> int:
    arguments, content = session.arguments, json.dump(completed.result)
    failed_gates = Gates.of(arguments).failures(completed.result)
    code = exit_code(completed.result, completed, failed_gates)
    try:
        output_files.write(arguments.output_file, content)
    finally:  # if that fails, the printed report is all that is left
        output_files.show(lambda: _print(session, completed, _last_line(completed, failed_gates, code)), content)
    if arguments.html is not None:
        assert run_dir is not None
        saved = read_run(run_dir)
        output_files.write(arguments.html, html_page(completed.result, saved, saved.info), output_files.PAGE)
    return code


def _run_dir(arguments: argparse.Namespace, stack: ExitStack) -> Path | None:
    """The folder of --run-dir, or a temporary one if --html needs a saved run."""
    if arguments.run_dir is None and arguments.html is not None:
        return stack.enter_context(temporary_folder("loadgen-run-")) / "run"
    return None if arguments.run_dir is None else Path(arguments.run_dir)


def _announce(plan: Plan, options: BenchOptions, notify: Notify) -> None:
    for text in remarks.of_plan(plan, options):
        notify(text)
    pace = f"over {plan.span_s:.3g} s" if options.arrivals.planned else "as fast as --max-concurrency allows"
    senders, permits = options.traffic.senders, options.traffic.max_concurrency
    notify(f"{len(plan)} requests from {plan.source}, {pace}, at most {permits} in flight, {senders} sender(s)")


def _last_line(completed: CompletedRun, failed_gates: Sequence[str], code: int) -> str:
    """Why the exit code is 3 or 4; else empty."""
    if code == NOTHING:
        return nothing_succeeded(completed.result["failed_requests"], completed.result["request_errors"])
    return last_line(failed_gates) if code == GATE else ""


def _print(session: Session, completed: CompletedRun, last: str) -> None:
    run_report.render(completed.result, session.report_console)
    if completed.save_error:
        advice = "the report above is complete, but the saved run is not; free disk space and run again"
        notify = session.notify_on(session.report_console)
        flag = f"--run-dir {session.arguments.run_dir}" if session.arguments.run_dir else "--html, in $TMPDIR"
        notify(f"{flag}: {completed.save_error}; {advice}")
    session.report_last(last)


def _encoding_progress(notify: Notify) -> Callable[[int, int], None]:
    def progress(done: int, total: int) -> None:
        if done and done % PROGRESS_EVERY == 0:
            notify(f"encoded {done} of {total} requests")

    return progress
