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
from loadgen.capture.media_decoder import Darkroom, Developed
from loadgen.capture.write_errors import Losses
from loadgen.monitoring.metrics_urls import shown
from loadgen.options import BenchOptions, TrafficOptions
from loadgen.planning.plan import Plan
from loadgen.processes.child_processes import Group, Member
from loadgen.runs import memory_check
from loadgen.runs import targets as slo
from loadgen.runs import warmups as warmup
from loadgen.runs.process_pool import Crew, Places
from loadgen.runs.run_folder import RunDir
from loadgen.runs.run_loop import Course, Watch
from loadgen.runs.run_metadata import circumstances
from loadgen.secrets import Secrets
from loadgen.system.interrupts import Interrupts
from loadgen.system.temporary_folder import scratch
from loadgen.transport.target import resolve_all

Tell = Callable[[str], None]  # says what goes on, in a line


@dataclass(frozen=True, slots=True)
class Measured:
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
    watched: Sequence[Member] = (),
    interrupts: Interrupts | None = None,
) -> Measured:
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
        places = Places(RunDir(run_dir) if run_dir else None, answers)
        group = stack.enter_context(Group(hide))
        group.watched.extend(watched)
        crew = Crew(group, plan, options, servers, places)
        _warn_of_pages(crew, options, tell)
        warmups = warmup.warm_up(crew, plan, len(servers), tell)
        if shortage := _shortage(plan, options, warmups):
            tell(shortage)
        targets = slo.targets(plan, warmups, options.slo)
        crew.set_slo(targets.slo_ms)
        about = circumstances(plan, options, warmups, targets)
        crew.reopen()
        interrupts.arm()
        on_start()
        course = Course(crew, interrupts, watch)
        if places.run_dir:
            known = {"started_ns": course.started_ns, "terms": crew.books["terms"], **about}
            places.run_dir.begin(plan, targets.slo_ms, known)
        course.start()
        course.follow()
        developed = _develop(answers, plan, options, crew, course, tell)
        refused = [(index, hide(fault)) for index, fault in sorted(developed.refused.items())]
        developed.losses.example = hide(developed.losses.example)
        figures = course.close(refused)
        scraped = metrics_series.of_run(_scrapes(crew), course.started_ns, figures)
        media = _media(options.traffic, developed, course)
        processes = _processes(crew, course)
        result = json.assemble(figures, server_metrics=scraped, media=media, self_measured=processes, **about)
        unwritten = course.unwritten + (places.run_dir.finish(result) if places.run_dir else [])
    return Measured(result, course.interrupted, tuple(course.died), ", ".join(dict.fromkeys(unwritten)))


def _shortage(plan: Plan, options: BenchOptions, warmups: list[warmup.Warmup]) -> str | None:
    """Say if what may be in flight is more than memory has room for."""
    in_flight = min(options.traffic.max_concurrency, len(plan))
    answer = max((each.received for each in warmups), default=0)
    return memory_check.shortage(in_flight, memory_check.largest_request(plan), answer, memory_check.available_bytes())


def _warn_of_pages(crew: Crew, options: BenchOptions, tell: Tell) -> None:
    """Say what was wrong at the first scrape, while there is time to do something about it."""
    for onlooker in crew.onlookers:
        pages = zip(options.target.server_metrics, crew.ready[onlooker].pop("problems"), strict=True)
        for page, problem in pages:
            if problem:
                tell(f"--server-metrics {shown(page)}: {problem}; the run goes on, and so do the scrapes")


def _scrapes(crew: Crew) -> Scrapes | None:
    return Scrapes.of_file(crew.metrics.fileno()) if crew.metrics else None


def _processes(crew: Crew, course: Course) -> dict[str, dict[str, Any]]:
    """What each process said of itself, when it was ready and when it was done."""
    return {
        member.name: {**{k: v for k, v in ready.items() if k != "kind"}, **course.idle.get(member.name, {})}
        for member, ready in crew.ready.items()
    }


@contextmanager
def _answers(traffic: TrafficOptions) -> Iterator[Path | None]:
    """A folder for answers as they come, for as long as the run goes on; None where none is kept.

    It is inside `--save-dir` where that is given: the disk that has to take the media anyway.
    """
    if traffic.save_dir is None and traffic.verify != "decode":
        yield None
        return
    with scratch(".answers-", traffic.save_dir) as folder:
        yield folder


def _develop(
    answers: Path | None,
    plan: Plan,
    options: BenchOptions,
    crew: Crew,
    course: Course,
    tell: Tell,
) -> Developed:
    """Decode and save what was kept; one more Ctrl-C stops that."""
    if answers is None:
        return Developed()
    save_dir, decode = options.traffic.save_dir, options.traffic.verify == "decode"
    extract = endpoint(options.target.backend, options.data.task).media
    room = Darkroom(Path(save_dir) if save_dir else None, decode, extract, plan.name)
    before = course.listen()
    developed = room.develop(answers, tell, lambda: course.listen() > before)
    lost = Losses()
    for index in crew.unsaved():
        lost.add(index, "the disk did not take it, or the process that writes died")
    for report in course.idle.values():
        lost.join(report.pop("lost", asdict(Losses())))
    developed.undecoded += lost.count if decode else 0
    developed.losses.join(asdict(lost))
    return developed


def _media(traffic: TrafficOptions, developed: Developed, course: Course) -> dict[str, Any]:
    """What was looked at, what that cost, and what was saved."""
    heads = [report for report in course.idle.values() if "verified" in report]
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
        "lost": asdict(developed.losses),
    }
