"""One run, from ready processes to closed books. This file is the order of events, and the only place that knows it."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collector import metrics
from collector.report import json
from collector.result import Result
from collector.scrapes import Scrapes
from loadgen import slo, warmup
from loadgen.circumstances import circumstances
from loadgen.course import Course, Watch
from loadgen.crew import Crew, Places
from loadgen.gallery import Losses, develop
from loadgen.group import Group, Member
from loadgen.interrupts import Interrupts
from loadgen.options import BenchOptions
from loadgen.pages import shown
from loadgen.plan import Plan
from loadgen.requests import endpoint
from loadgen.rundir import RunDir
from loadgen.secrets import Secrets
from loadgen.target import resolve


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run leaves behind: its result (the JSON), and what decides the exit code.

    `died` names processes of ours; `saved` files are in `--save-dir`, `unsaved` answers are not.
    """

    result: Result
    interrupted: bool
    died: tuple[str, ...]
    saved: int
    unsaved: Losses


def run(
    plan: Plan,
    options: BenchOptions,
    watch: Watch = lambda _: None,
    tell: Callable[[str], None] = lambda _: None,
    on_start: Callable[[], object] = lambda: None,
    run_dir: Path | None = None,
    watched: Sequence[Member] = (),
) -> Measured:
    """Carry out a plan against the target. Failures of requests are in the figures; faults of ours are raised.

    `watch` gets snapshots while it goes on, `tell` a line where something takes its time, `on_start` is called once
    before time zero. `run_dir` is a new folder in which the run is saved as it goes (collector/saved.py). `watched` are
    processes of the caller's, such as a simulated server, without which there is no point in going on.
    """
    slo.check(plan, options.slo)
    target = resolve(options.target)
    with ExitStack() as stack:
        interrupts = stack.enter_context(Interrupts())  # ends last: what is put away must not be interrupted
        answers = stack.enter_context(_answers(options.traffic.save_dir))
        places = Places(RunDir(run_dir) if run_dir else None, answers)
        group = stack.enter_context(Group(Secrets(target.secrets).hide))
        group.watched.extend(watched)
        crew = Crew(group, plan, options, target, places)
        _warn_of_pages(crew, options, tell)
        warmups = warmup.warm_up(crew, plan, tell)
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
        figures = course.close()
        saved, unsaved = _saved(answers, options, course, tell)
        scraped = metrics.of_run(_scrapes(crew), course.started_ns, figures)
        result = json.assemble(figures, server_metrics=scraped, self_measured=_processes(crew, course), **about)
        if places.run_dir:
            places.run_dir.finish(result)
    return Measured(result, course.interrupted, tuple(course.died), saved, unsaved)


def _warn_of_pages(crew: Crew, options: BenchOptions, tell: Callable[[str], None]) -> None:
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
def _answers(save_dir: str | None) -> Iterator[Path | None]:
    """A folder for answers as they come, inside `--save-dir`, for as long as the run goes on."""
    if save_dir is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix=".answers-", dir=save_dir, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _saved(
    answers: Path | None, options: BenchOptions, course: Course, tell: Callable[[str], None]
) -> tuple[int, Losses]:
    if answers is None:
        return 0, Losses()
    media = endpoint(options.target.backend, options.data.task).media
    saved, unsaved = develop(answers, answers.parent, media, tell)
    for report in course.idle.values():
        unsaved.add(report.pop("unsaved", 0), report.pop("example", ""))
    return saved, unsaved
