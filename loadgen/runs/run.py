"""One run from start to end: the only file that knows the order of events."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from collector.report import json
from collector.saved import metrics_series
from collector.saved.metrics_log import Scrapes
from collector.summary.result import Result
from loadgen.backends import find_backend
from loadgen.capture.media_decoder import DecodedMedia, MediaDecoder
from loadgen.capture.write_errors import WriteErrors
from loadgen.monitoring.metrics_urls import shown
from loadgen.options import BenchOptions, TrafficOptions
from loadgen.planning.plan import Plan
from loadgen.processes.child_processes import ChildProcess, ChildProcesses
from loadgen.runs import memory_check, warmup_check
from loadgen.runs import targets as slo
from loadgen.runs import warmups as warmup
from loadgen.runs.process_pool import OutputFolders, ProcessPool
from loadgen.runs.run_folder import RunDir
from loadgen.runs.run_loop import OnSnapshot, RunLoop
from loadgen.runs.run_metadata import run_metadata
from loadgen.secrets import Secrets
from loadgen.server.discovery import fill_in
from loadgen.server.target import resolve_all
from loadgen.system.interrupts import Interrupts
from loadgen.system.temporary_folder import temporary_folder

Notify = Callable[[str], None]  # takes a status line


@dataclass(frozen=True, slots=True)
class CompletedRun:
    """A completed run: its result (the JSON), and what decides the exit code.

    `died` names processes of this tool that died. `save_error` says why the run folder is incomplete, "" if it is not.
    `wait_interrupted`: the run itself is complete, but Ctrl-C ended the wait for its jobs on the server.
    """

    result: Result
    interrupted: bool
    died: tuple[str, ...]
    save_error: str = ""
    wait_interrupted: bool = False


def run(
    plan: Plan,
    options: BenchOptions,
    on_snapshot: OnSnapshot = lambda _: None,
    notify: Notify = lambda _: None,
    on_start: Callable[[], object] = lambda: None,
    run_dir: Path | None = None,
    required: Sequence[ChildProcess] = (),
    interrupts: Interrupts | None = None,
) -> CompletedRun:
    """Run a plan against the server. Failures of requests are in the result; faults of this tool are raised.

    `on_snapshot` gets live figures, `notify` status lines; `on_start` is called once, just before time zero. `run_dir`
    is a new folder that the run is saved in as it proceeds. `required` are processes of the caller, such as a simulated
    server, whose death ends the run. `interrupts` count Ctrl-C for a caller who needs that beyond the run.
    """
    options = fill_in(options)
    slo.check(plan, options.slo)
    servers = resolve_all(options.target)
    hide = Secrets.of(options.target).hide
    with ExitStack() as stack:
        interrupts = interrupts or stack.enter_context(
            Interrupts()
        )  # closed last: Ctrl-C must not interrupt the clean-up
        answers = stack.enter_context(_answers(options.traffic))
        folders = OutputFolders(RunDir(run_dir) if run_dir else None, answers)
        if folders.run_dir:
            stack.callback(folders.run_dir.discard_unused)  # after the processes that write to it have ended
        processes = stack.enter_context(ChildProcesses(hide))
        processes.watched.extend(required)
        processes.notify = notify
        pool = ProcessPool(processes, plan, options, servers, folders)
        _report_scrape_problems(pool, options, notify)
        warmups = warmup.warm_up(pool, plan, len(servers), notify, options.warmup.concurrency)
        if shortage := _shortage(plan, options, warmups):
            notify(shortage)
        warmup_check.check(warmups, servers, plan.store["path"], options.warmup, notify, hide)
        targets = slo.targets(plan, warmups, options.slo)
        pool.set_slo(targets.slo_ms)
        metadata = run_metadata(plan, options, warmups, targets)
        pool.reopen()
        interrupts.arm()
        on_start()
        run_loop = RunLoop(pool, interrupts, on_snapshot, notify)
        if folders.run_dir:
            info = {"started_ns": run_loop.started_ns, "parameters": pool.accounting["parameters"], **metadata}
            folders.run_dir.begin(plan, targets.slo_ms, info)
        run_loop.start()
        run_loop.wait_for_end()
        decoded = _decode_and_save(answers, plan, options, pool, run_loop, notify)
        refused = [(index, hide(error)) for index, error in sorted(decoded.refused.items())]
        decoded.write_errors.example = hide(decoded.write_errors.example)
        figures = run_loop.finish(refused)
        server_metrics = metrics_series.of_run(_scrapes(pool), run_loop.started_ns, figures)
        media = _media(options, decoded, run_loop)
        measured = _measured_processes(pool, run_loop)
        result = json.assemble(figures, server_metrics=server_metrics, media=media, processes=measured, **metadata)
        save_errors = run_loop.save_errors + (folders.run_dir.finish(result) if folders.run_dir else [])
    save_error = ", ".join(dict.fromkeys(save_errors))
    return CompletedRun(
        result, run_loop.interrupted, tuple(run_loop.died), save_error, run_loop.wait_interrupted and not run_loop.died
    )


def _shortage(plan: Plan, options: BenchOptions, warmups: list[warmup.Warmup]) -> str | None:
    """A warning if the requests in flight may not fit into memory."""
    in_flight = min(options.traffic.max_concurrency, len(plan))
    answer = max((each.received for each in warmups), default=0)
    return memory_check.shortage(in_flight, memory_check.largest_request(plan), answer, memory_check.available_bytes())


def _report_scrape_problems(pool: ProcessPool, options: BenchOptions, notify: Notify) -> None:
    """Report what failed in the first scrape, while there is time to correct it."""
    for scraper in pool.scrapers:
        problems = pool.ready[scraper].pop("problems")
        for url, problem in zip(options.target.server_metrics, problems, strict=True):
            if problem:
                notify(f"--server-metrics {shown(url)}: {problem}; the run continues, and scraping too")


def _scrapes(pool: ProcessPool) -> Scrapes | None:
    return Scrapes.of_file(pool.metrics.fileno()) if pool.metrics else None


def _measured_processes(pool: ProcessPool, run_loop: RunLoop) -> dict[str, dict[str, Any]]:
    """What each process measured of itself, when it was ready and when it was idle."""
    return {
        child.name: {**{k: v for k, v in ready.items() if k != "kind"}, **run_loop.idle.get(child.name, {})}
        for child, ready in pool.ready.items()
    }


@contextmanager
def _answers(traffic: TrafficOptions) -> Iterator[Path | None]:
    """A temporary folder for the answers of the run; None if they are not kept.

    It is inside `--save-dir` if that is given, on the disk that must hold the media anyway.
    """
    if traffic.save_dir is None and traffic.verify != "decode":
        yield None
        return
    with temporary_folder(".answers-", traffic.save_dir) as folder:
        yield folder


def _decode_and_save(
    answers: Path | None,
    plan: Plan,
    options: BenchOptions,
    pool: ProcessPool,
    run_loop: RunLoop,
    notify: Notify,
) -> DecodedMedia:
    """Decode and save the captured answers; one more Ctrl-C stops that."""
    if answers is None:
        return DecodedMedia()
    save_dir, decode = options.traffic.save_dir, options.traffic.verify == "decode"
    extract = find_backend(options.target.backend).media
    decoder = MediaDecoder(Path(save_dir) if save_dir else None, decode, extract, plan.name)
    before = run_loop.poll()
    decoded = decoder.decode_all(answers, notify, lambda: run_loop.poll() > before)
    lost = WriteErrors()
    for index in pool.unsaved():
        lost.add(index, "not written: the disk is full, or the writer process died")
    for report in run_loop.idle.values():
        lost.join(report.pop("lost", asdict(WriteErrors())))
    decoded.undecoded += lost.count if decode else 0
    decoded.write_errors.join(asdict(lost))
    return decoded


def _media(options: BenchOptions, decoded: DecodedMedia, run_loop: RunLoop) -> dict[str, Any]:
    """What was verified, decoded and saved, and how long that took."""
    verified = [report for report in run_loop.idle.values() if "verified" in report]
    return {
        "response_format": options.target.response_format,
        "verify": options.traffic.verify,
        "verify_size": options.traffic.verify_size,
        "verified": sum(report["verified"] for report in verified),
        "verify_s": sum(report["verify_s"] for report in verified),
        "longest_verify_s": max((report["longest_verify_s"] for report in verified), default=0.0),
        "decoded": decoded.decoded,
        "undecoded": decoded.undecoded,
        "decode_s": decoded.took_s,
        "save_dir": options.traffic.save_dir,
        "saved_files": decoded.saved,
        "lost": asdict(decoded.write_errors),
    }
