"""One run, from ready processes to closed books. This file is the order of events, and the only place that knows it."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collector.result import Figures
from loadgen import warmup
from loadgen.course import Course, Watch
from loadgen.crew import Crew
from loadgen.gallery import Losses, develop
from loadgen.group import Group
from loadgen.interrupts import Interrupts
from loadgen.options import BenchOptions
from loadgen.plan import Plan
from loadgen.requests import endpoint
from loadgen.target import resolve


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run leaves behind. `unit_ms` is what the SLO was taken from; `died` names processes of ours.

    `processes` is what each of ours said of itself; `saved` files are in `--save-dir`, `unsaved` answers are not.
    """

    figures: Figures
    warmups: list[warmup.Warmup]
    unit_ms: float | None
    interrupted: bool
    died: tuple[str, ...]
    processes: dict[str, dict[str, Any]]
    saved: int
    unsaved: Losses


def run(
    plan: Plan,
    options: BenchOptions,
    watch: Watch = lambda _: None,
    tell: Callable[[str], None] = lambda _: None,
    on_start: Callable[[], object] = lambda: None,
) -> Measured:
    """Carry out a plan against the target. Failures of requests are in the figures; faults of ours are raised.

    `watch` gets snapshots while it goes on, `tell` a line where something takes its time, `on_start` is called once
    before time zero.
    """
    warmup.check(plan, options.slo)
    target = resolve(options.target)
    with ExitStack() as stack:
        answers = stack.enter_context(_answers(options.traffic.save_dir))
        crew = Crew(stack.enter_context(Group()), plan, options, target, answers)
        warmups = warmup.warm_up(crew, plan, tell)
        slo_ms, unit_ms = warmup.targets_ms(plan, warmups, options.slo)
        crew.set_slo(slo_ms)
        interrupts = stack.enter_context(Interrupts())
        on_start()
        course = Course(crew, interrupts, watch)
        course.follow()
        figures = course.close()
        saved, unsaved = _saved(answers, options, course, tell)
    return Measured(
        figures=figures,
        warmups=warmups,
        unit_ms=unit_ms,
        interrupted=course.interrupted,
        died=tuple(course.died),
        processes={
            member.name: {**{k: v for k, v in ready.items() if k != "kind"}, **course.idle.get(member.name, {})}
            for member, ready in crew.ready.items()
        },
        saved=saved,
        unsaved=unsaved,
    )


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
