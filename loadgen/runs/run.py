"""One run, from ready processes to closed books. This file is the order of events, and the only place that knows it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from collector.report import json
from collector.saved import metrics_series
from collector.saved.metrics_log import Scrapes
from collector.summary.result import Result
from loadgen.backends import endpoint
from loadgen.capture.media_decoder import DecodedMedia, MediaDecoder
from loadgen.capture.write_errors import WriteErrors
from loadgen.monitoring.metrics_urls import shown
from loadgen.options import BenchOptions, TrafficOptions
from loadgen.planning.plan import Plan
from loadgen.processes.child_processes import ChildProcess, ChildProcesses
from loadgen.runs import memory_check
from loadgen.runs import targets as slo
from loadgen.runs import warmups as warmup
from loadgen.runs.process_pool import OutputFolders, ProcessPool
from loadgen.runs.run_folder import RunDir
from loadgen.runs.run_loop import RunLoop, Watch
from loadgen.runs.run_metadata import run_metadata
from loadgen.secrets import Secrets
from loadgen.system.interrupts import Interrupts
from loadgen.system.temporary_folder import temporary_folder
from loadgen.transport.target import resolve_all

Tell = Callable[[str], None]  # says what goes on, in a line


@dataclass(frozen=True, slots=True)
class CompletedRun:
    """What a run leaves behind: its result (the JSON), and what decides the exit code.

    `died` names processes of ours; `unwritten` says why `--run-dir` has not got everything, and is empty where it has.
    """

    result: Result
    interrupted: bool
    died: tuple[str, ...]
    unwritten: str = ""


def run(
    plan: Plan,
    options: BenchOptions,
    watch: Watch = lambda _: None,
    tell: Tell = lambda _: None,
    on_start: Callable[[], object] = lambda: None,
    run_dir: Path | None = None,
    watched: Sequence[ChildProcess] = (),
    interrupts: Interrupts | None = None,
) -> CompletedRun:
    """Carry out a plan against the target. Failures of requests are in the figures; faults of ours are raised.

    `watch` gets snapshots while it goes on, `tell` a line where something takes its time, `on_start` is called once
    before time zero. `run_dir` is a new folder in which the run is saved as it goes. `watched` are
    processes of the caller's, such as a simulated server, without which there is no point in going on.
    `interrupts` are the caller's, where these are to be counted for longer than the run.
    """
    slo.check(plan, options.slo)
    servers = resolve_all(options.target)
    hide = Secrets.of(options.target).hide
    with ExitStack() as stack:
        interrupts = interrupts or stack.enter_context(Interrupts())  # ends last: putting away is not to be interrupted
        answers = stack.enter_context(_answers(options.traffic))
        places = OutputFolders(RunDir(run_dir) if run_dir else None, answers)
        processes = stack.enter_context(ChildProcesses(hide))
        processes.watched.extend(watched)
        pool = ProcessPool(processes, plan, options, servers, places)
        _warn_of_pages(pool, options, tell)
        warmups = warmup.warm_up(pool, plan, len(servers), tell)
        if shortage := _shortage(plan, options, warmups):
            tell(shortage)
        targets = slo.targets(plan, warmups, options.slo)
        pool.set_slo(targets.slo_ms)
        about = run_metadata(plan, options, warmups, targets)
        pool.reopen()
        interrupts.arm()
        on_start()
        run_loop = RunLoop(pool, interrupts, watch)
        if places.run_dir:
            known = {"started_ns": run_loop.started_ns, "parameters": pool.accounting["parameters"], **about}
            places.run_dir.begin(plan, targets.slo_ms, known)
        run_loop.start()
        run_loop.follow()
        developed = _develop(answers, plan, options, pool, run_loop, tell)
        refused = [(index, hide(fault)) for index, fault in sorted(developed.refused.items())]
        developed.write_errors.example = hide(developed.write_errors.example)
        figures = run_loop.close(refused)
        scraped = metrics_series.of_run(_scrapes(pool), run_loop.started_ns, figures)
        media = _media(options.traffic, developed, run_loop)
        measured = _measured_processes(pool, run_loop)
        result = json.assemble(figures, server_metrics=scraped, media=media, processes=measured, **about)
        unwritten = run_loop.unwritten + (places.run_dir.finish(result) if places.run_dir else [])
    return CompletedRun(result, run_loop.interrupted, tuple(run_loop.died), ", ".join(dict.fromkeys(unwritten)))


def _shortage(plan: Plan, options: BenchOptions, warmups: list[warmup.Warmup]) -> str | None:
    """Say if what may be in flight is more than memory has room for."""
    in_flight = min(options.traffic.max_concurrency, len(plan))
    answer = max((each.received for each in warmups), default=0)
    return memory_check.shortage(in_flight, memory_check.largest_request(plan), answer, memory_check.available_bytes())


def _warn_of_pages(pool: ProcessPool, options: BenchOptions, tell: Tell) -> None:
    """Say what was wrong at the first scrape, while there is time to do something about it."""
    for onlooker in pool.onlookers:
        pages = zip(options.target.server_metrics, pool.ready[onlooker].pop("problems"), strict=True)
        for page, problem in pages:
            if problem:
                tell(f"--server-metrics {shown(page)}: {problem}; the run goes on, and so do the scrapes")


def _scrapes(pool: ProcessPool) -> Scrapes | None:
    return Scrapes.of_file(pool.metrics.fileno()) if pool.metrics else None


def _measured_processes(pool: ProcessPool, run_loop: RunLoop) -> dict[str, dict[str, Any]]:
    """What each process said of itself, when it was ready and when it was done."""
    return {
        child.name: {**{k: v for k, v in ready.items() if k != "kind"}, **run_loop.idle.get(child.name, {})}
        for child, ready in pool.ready.items()
    }


@contextmanager
def _answers(traffic: TrafficOptions) -> Iterator[Path | None]:
    """A folder for answers as they come, for as long as the run goes on; None where none is kept.

    It is inside `--save-dir` where that is given: the disk that has to take the media anyway.
    """
    if traffic.save_dir is None and traffic.verify != "decode":
        yield None
        return
    with temporary_folder(".answers-", traffic.save_dir) as folder:
        yield folder


def _develop(
    answers: Path | None,
    plan: Plan,
    options: BenchOptions,
    pool: ProcessPool,
    run_loop: RunLoop,
    tell: Tell,
) -> DecodedMedia:
    """Decode and save what was kept; one more Ctrl-C stops that."""
    if answers is None:
        return DecodedMedia()
    save_dir, decode = options.traffic.save_dir, options.traffic.verify == "decode"
    extract = endpoint(options.target.backend, options.data.task).media
    buffer = MediaDecoder(Path(save_dir) if save_dir else None, decode, extract, plan.name)
    before = run_loop.listen()
    developed = buffer.develop(answers, tell, lambda: run_loop.listen() > before)
    lost = WriteErrors()
    for index in pool.unsaved():
        lost.add(index, "the disk did not take it, or the process that writes died")
    for report in run_loop.idle.values():
        lost.join(report.pop("lost", asdict(WriteErrors())))
    developed.undecoded += lost.count if decode else 0
    developed.write_errors.join(asdict(lost))
    return developed


def _media(traffic: TrafficOptions, developed: DecodedMedia, run_loop: RunLoop) -> dict[str, Any]:
    """What was looked at, what that cost, and what was saved."""
    heads = [report for report in run_loop.idle.values() if "verified" in report]
    return {
        "verify": traffic.verify,
        "verified": sum(report["verified"] for report in heads),
        "verify_s": sum(report["verify_s"] for report in heads),
        "longest_verify_s": max((report["longest_verify_s"] for report in heads), default=0.0),
        "decoded": developed.decoded,
        "undecoded": developed.undecoded,
        "develop_s": developed.took_s,
        "save_dir": traffic.save_dir,
        "saved_files": developed.saved,
        "lost": asdict(developed.write_errors),
    }
