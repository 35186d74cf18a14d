"""One run, from ready processes to closed books. This file is the order of events, and the only place that knows it."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

from collector.books import Books
from collector.channel import Message
from collector.record import Outcome
from collector.result import Figures, Snapshot
from loadgen import warmup
from loadgen.clock import now_ns
from loadgen.crew import Crew
from loadgen.group import Group, Member
from loadgen.interrupts import Interrupts
from loadgen.options import BenchOptions
from loadgen.plan import Plan
from loadgen.target import resolve

LEAD_NS: Final = 300_000_000  # from the last "ready" to time zero: everybody hears of it, the first tokens arrive
GRACE_S: Final = 5.0  # what is in flight may take this long after a stop
CLOSING_S: Final = 60.0  # the collector computes the figures

Watch = Callable[[Snapshot], None]


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run leaves behind. `unit_ms` is what the SLO was taken from; `died` names processes of ours."""

    figures: Figures
    warmups: list[warmup.Warmup]
    unit_ms: float | None
    interrupted: bool
    died: tuple[str, ...]
    senders: list[dict[str, Any]]


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
        crew = Crew(stack.enter_context(Group()), plan, options, target)
        warmups = warmup.warm_up(crew, plan, tell)
        slo_ms, unit_ms = warmup.targets_ms(plan, warmups, options.slo)
        crew.set_slo(slo_ms)
        interrupts = stack.enter_context(Interrupts())
        on_start()
        course = _Course(crew, interrupts, watch)
        course.follow()
        figures = course.close()
    return Measured(
        figures=figures,
        warmups=warmups,
        unit_ms=unit_ms,
        interrupted=course.stopped_ns is not None,
        died=tuple(course.died),
        senders=[crew.ready[sender] for sender in crew.senders],
    )


class _Course:
    """A run under way: follows it to its end, or to a stop."""

    def __init__(self, crew: Crew, interrupts: Interrupts, watch: Watch) -> None:
        self._crew, self._interrupts, self._watch = crew, interrupts, watch
        self.died: list[str] = []
        self.stopped_ns: int | None = None
        self.started_ns = now_ns() + LEAD_NS
        self._complete = False
        self._idle: set[str] = set()
        self._figures: Figures | None = None
        crew.tell("start", started_ns=self.started_ns)

    def follow(self) -> None:
        """Return when every request is accounted for, or when what was in flight at a stop has ended."""
        while not (self._complete or self.died or self._interrupts.count):
            self._hear(None)
        if self._complete:
            return
        self.stopped_ns = self._interrupts.first_ns or now_ns()
        self._crew.tell("stop", [self._crew.scheduler, *self._crew.senders])
        self._wait_until(self._all_idle, GRACE_S)
        if not self._all_idle():
            outcome = Outcome.CANCELLED if self._interrupts.count else Outcome.UNFINISHED
            self._crew.tell("abandon", self._crew.senders, outcome=outcome.name)
            self._wait_until(self._all_idle, 2.0, patient=True)

    def close(self) -> Figures:
        """Have the collector close the books; close them here if it is dead."""
        if "collector" not in self.died:
            self._crew.tell("finish", [self._crew.collector], stopped_ns=self.stopped_ns, died=self.died)
            self._wait_until(lambda: self._figures is not None or "collector" in self.died, CLOSING_S, patient=True)
        return self._figures or self._close_here()

    def _close_here(self) -> Figures:
        if "collector" not in self.died:
            self.died.append("collector")
        descriptors = {
            name: getattr(value, "fileno", lambda value=value: value)() for name, value in self._crew.books.items()
        }
        descriptors["board"] = {name: memory.fileno() for name, memory in self._crew.books["board"].items()}
        books = Books(descriptors)
        return books.close(self.started_ns, self.stopped_ns, tuple(self.died))

    def _wait_until(self, reached: Callable[[], bool], limit_s: float, *, patient: bool = False) -> None:
        """Listen until something is reached, for `limit_s` at most; a second Ctrl-C ends it unless `patient`."""
        deadline = time.monotonic() + limit_s
        while not reached() and time.monotonic() < deadline and (patient or self._interrupts.count < 2):
            self._hear(max(deadline - time.monotonic(), 0.001))

    def _all_idle(self) -> bool:
        return all(sender.name in self._idle or not sender.alive for sender in self._crew.senders)

    def _hear(self, timeout_s: float | None) -> None:
        for member, message in self._crew.group.news(timeout_s, [self._interrupts.fileno()]):
            self._note(member, message)
        self._interrupts.drain()

    def _note(self, member: Member, message: Message) -> None:
        match message.pop("kind"):
            case "snapshot":
                self._watch(message)  # type: ignore[arg-type]
            case "complete":
                self._complete = True
            case "idle":
                self._idle.add(member.name)
            case "figures":
                self._figures = message["figures"]
            case "died":
                self.died.append(member.name)
