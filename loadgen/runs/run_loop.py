"""The course of a run: from time zero to its end or a stop, and until the books are closed."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from collector.process.accounting import Accounting
from collector.records.control_channel import Message
from collector.records.record import Outcome
from collector.saved.run_folder_writer import save_all_send_times
from collector.summary.result import Figures, Snapshot
from loadgen.clock import SECOND_NS, now_ns
from loadgen.processes.child_processes import ChildProcess
from loadgen.runs.process_pool import ProcessPool, numbered
from loadgen.system.interrupts import Interrupts

LEAD_NS: Final = 150_000_000  # from the last "ready" to time zero: everybody hears of it, the first tokens arrive
LOOK_S: Final = 0.5  # at the latest, everything is looked at again
GRACE_S: Final = 5.0  # what is in flight may take this long after a stop
ABANDON_S: Final = 2.0  # and to be given up
SAVING_S: Final = 120.0  # the saver may have answers to write
SCRAPES_S: Final = 4.5  # the last scrape ends by itself before that
SILENT_S: Final = 3.0  # a collector that says nothing for so long is stuck
CLOSING_S: Final = 60.0  # the collector computes the figures

Watch = Callable[[Snapshot], None]


class RunLoop:
    """Follows a run; time zero is `started_ns`.

    `died` names processes of ours that died; `idle` is what each said of itself when it was done. `unwritten` says
    what could not be written while it went on.
    """

    def __init__(self, pool: ProcessPool, interrupts: Interrupts, watch: Watch) -> None:
        self._pool, self._interrupts, self._watch = pool, interrupts, watch
        self.died: list[str] = []
        self.unwritten: list[str] = []
        self.idle: dict[str, Message] = {}
        self.interrupted = False
        self.started_ns = now_ns() + LEAD_NS
        self._drain_ns = pool.drain_ns(self.started_ns)
        self._stopped_ns: int | None = None
        self._drained_ns: int | None = None
        self._ended_ns: int | None = None
        self._heard_ns = 0  # from the collector
        self._complete = False
        self._figures: Figures | None = None

    def start(self) -> None:
        """Tell everybody when time zero is."""
        self._pool.tell("start", started_ns=self.started_ns)

    def follow(self) -> None:
        """Return when every request is accounted for, or when what was in flight at a stop has ended."""
        while not (self._complete or self.died or self._interrupts.count or self._drained()):
            self._hear(LOOK_S if self._drain_ns is None else min(LOOK_S, max(self._drain_ns - now_ns(), 0) / SECOND_NS))
            self._complete = self._complete or self._ended()
        self._note_why()
        self._pool.stop()
        if self._drained_ns is None:  # else this was the grace
            self._wait_until(self._all_idle, GRACE_S)
        if not self._all_idle():
            self._pool.abandon(Outcome.CANCELLED if self.interrupted else Outcome.UNFINISHED)
            self._wait_until(self._all_idle, ABANDON_S, patient=True)
        self._save(GRACE_S if self._stopped_ns else SAVING_S)

    def _note_why(self) -> None:
        """Write down what ended the run, unless its plan is through."""
        if self._complete:
            return
        if self.died or self._interrupts.count:
            self._stopped_ns = self._interrupts.first_ns or now_ns()
            self.interrupted = self._interrupts.count > 0
        else:
            self._drained_ns = now_ns()

    def _drained(self) -> bool:
        return self._drain_ns is not None and now_ns() >= self._drain_ns

    def _ended(self) -> bool:
        """Whether all has ended by the senders' own count, and the collector, which should have said so, did not."""
        if not self._pool.all_ended():
            return False
        now = now_ns()
        self._ended_ns = self._ended_ns or now
        silent_s = (now - max(self._heard_ns, self._ended_ns)) / SECOND_NS
        return silent_s > SILENT_S or (now - self._ended_ns) / SECOND_NS > CLOSING_S

    def _save(self, patience_s: float) -> None:
        """Have the saver write what is left; a second Ctrl-C ends that."""
        writer = self._pool.writer
        if writer is None:
            return
        self._pool.tell("stop", [writer], patience_s=patience_s)
        self._wait_until(lambda: writer.name in self.idle or not writer.alive, patience_s + ABANDON_S)

    def listen(self) -> int:
        """Take what has come meanwhile, so that nobody waits to be heard; return how many Ctrl-C there were so far."""
        self._hear(0.0)
        return self._interrupts.count

    def close(self, refused: Sequence[tuple[int, str]] = ()) -> Figures:
        """Have the collector close the books; close them here if it is dead. `refused` are answers found to be wrong.

        The others go first: what they hold in memory is not needed any more, and the collector needs some.
        """
        collector = self._pool.collector
        self._wait_until(lambda: self._idle(self._pool.onlookers), SCRAPES_S)
        for child in self._pool.stoppable:
            if child.name in self.idle:
                child.release()
            elif child.alive and not self._complete and child not in self._pool.onlookers:
                self.died.append(f"{child.name}: silent at the end")
        if collector.alive:
            collector.wake()
            collector.channel.send("finish", ending=self._ending(), refused=refused)
            self._wait_until(lambda: self._figures is not None or not collector.alive, CLOSING_S, patient=True)
        return self._figures or self._close_here(refused)

    def _close_here(self, refused: Sequence[tuple[int, str]]) -> Figures:
        if self._pool.collector.alive:
            self.died.append(f"{self._pool.collector.name}: silent for {CLOSING_S:g} s")
        setup = numbered(self._pool.accounting)
        accounting = Accounting(setup)
        if setup["run_dir"]:
            save_all_send_times(Path(setup["run_dir"]), accounting.shared_counters.send_times)
        accounting.refuse(refused)
        return accounting.close(self.started_ns, self._ending())

    def _ending(self) -> dict[str, Any]:
        """How the run ended, as the books want to know it."""
        busy = [report["busy_share"] for report in self.idle.values() if "busy_share" in report]
        return {
            "stopped_ns": self._stopped_ns,
            "drained_ns": self._drained_ns,
            "died": self.died,
            "busiest_sender": max(busy, default=None),
        }

    def _wait_until(self, reached: Callable[[], bool], limit_s: float, *, patient: bool = False) -> None:
        """Listen until something is reached, for `limit_s` at most; a second Ctrl-C ends it unless `patient`."""
        deadline = time.monotonic() + limit_s
        while not reached() and time.monotonic() < deadline and (patient or self._interrupts.count < 2):
            self._hear(max(deadline - time.monotonic(), 0.001))

    def _all_idle(self) -> bool:
        return self._idle([child for child in self._pool.stoppable if child not in self._pool.onlookers])

    def _idle(self, children: Sequence[ChildProcess]) -> bool:
        return all(child.name in self.idle or not child.alive for child in children)

    def _hear(self, timeout_s: float) -> None:
        for child, message in self._pool.processes.news(timeout_s, [self._interrupts.fileno()]):
            self._note(child, message)
        self._interrupts.drain()

    def _note(self, child: ChildProcess, message: Message) -> None:
        if child is self._pool.collector:
            self._heard_ns = now_ns()
        if fault := message.pop("unwritten", None):
            self.unwritten.append(fault)
        match message.pop("kind"):
            case "snapshot":
                self._watch(message)  # type: ignore[arg-type]
            case "complete":
                self._complete = True
            case "idle":
                self.idle[child.name] = message
            case "figures":
                self._figures = message["figures"]
                self.idle[child.name] = message["usage"]
            case "died" if child in self._pool.onlookers or child is self._pool.writer:
                self.idle[child.name] = {"died": child.exit_reason()}
            case "died":
                self.died.append(f"{child.name}: {child.exit_reason()}")
