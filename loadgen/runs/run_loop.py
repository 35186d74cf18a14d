"""The run loop: follows the processes from time zero to the end or a stop, until the figures are computed."""

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
from loadgen.runs.process_pool import ProcessPool, descriptor_numbers
from loadgen.system.interrupts import Interrupts

START_DELAY_NS: Final = 150_000_000  # until time zero: all processes get the message, and the first tokens arrive
POLL_S: Final = 0.5  # longest wait for a message
GRACE_S: Final = 5.0  # for requests in flight after a stop
ABANDON_S: Final = 2.0  # for the senders to end the rest
WRITE_S: Final = 120.0  # for the writer to save the remaining answers
REMIND_S: Final = 10.0  # between status lines while jobs are unfinished on the server
SCRAPES_S: Final = 4.5  # longer than the last scrape takes
SILENT_S: Final = 3.0  # after which a silent collector counts as hung
CLOSING_S: Final = 60.0  # for the collector to compute the figures

OnSnapshot = Callable[[Snapshot], None]
Notify = Callable[[str], None]


class RunLoop:
    """Follows one run; time zero is `started_ns`.

    `died` names processes of this tool that died; `idle` has the last message of each process, with its own
    measurements. `save_errors` are errors of writing to the run folder.
    """

    def __init__(
        self, pool: ProcessPool, interrupts: Interrupts, on_snapshot: OnSnapshot, notify: Notify = lambda _: None
    ) -> None:
        self._pool, self._interrupts, self._on_snapshot, self._notify = pool, interrupts, on_snapshot, notify
        self.died: list[str] = []
        self.save_errors: list[str] = []
        self.idle: dict[str, Message] = {}
        self.interrupted = self.wait_interrupted = False
        self._waiting: dict[str, Message] = {}  # senders whose jobs are not all over on the server, and how many
        self.started_ns = now_ns() + START_DELAY_NS
        self._drain_ns = pool.drain_ns(self.started_ns)
        self._stopped_ns: int | None = None
        self._drained_ns: int | None = None
        self._ended_ns: int | None = None
        self._last_message_ns = 0  # from the collector
        self._complete = False
        self._figures: Figures | None = None

    def start(self) -> None:
        """Tell all processes when time zero is."""
        self._pool.send("start", started_ns=self.started_ns)

    def wait_for_end(self) -> None:
        """Return when every request has ended, or, after a stop, every request that was in flight."""
        while not (self._complete or self.died or self._interrupts.count or self._drained()):
            self._receive(
                POLL_S if self._drain_ns is None else min(POLL_S, max(self._drain_ns - now_ns(), 0) / SECOND_NS)
            )
            self._complete = self._complete or self._ended()
        self._record_end_reason()
        self._pool.stop()
        if self._drained_ns is None:  # else --drain was the grace period
            self._wait_until(self._all_ended, GRACE_S)
        if not self._all_ended():
            self._pool.abandon(Outcome.CANCELLED if self.interrupted else Outcome.UNFINISHED)
            self._wait_until(self._all_ended, ABANDON_S, ignore_interrupts=True)
        if self._waiting:
            self._wait_for_jobs()
        self._finish_writing(GRACE_S if self._stopped_ns else WRITE_S)

    def _record_end_reason(self) -> None:
        """Record what ended the run, unless it is complete."""
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
        """Whether all requests have ended by the senders' counters, though the collector did not report it in time."""
        if not self._pool.all_ended():
            return False
        now = now_ns()
        self._ended_ns = self._ended_ns or now
        silent_s = (now - max(self._last_message_ns, self._ended_ns)) / SECOND_NS
        return silent_s > SILENT_S or (now - self._ended_ns) / SECOND_NS > CLOSING_S

    def _finish_writing(self, time_limit_s: float) -> None:
        """Let the writer save the remaining answers; a second Ctrl-C stops that."""
        writer = self._pool.writer
        if writer is None:
            return
        self._pool.send("stop", [writer], time_limit_s=time_limit_s)
        self._wait_until(lambda: writer.name in self.idle or not writer.alive, time_limit_s + ABANDON_S)

    def poll(self) -> int:
        """Handle the messages that have arrived; return the number of Ctrl-C so far."""
        self._receive(0.0)
        return self._interrupts.count

    def finish(self, refused: Sequence[tuple[int, str]] = ()) -> Figures:
        """Let the collector compute the figures, or compute them here if it died.

        `refused` are answers that failed verification. The other processes end first, which frees memory for it.
        """
        collector = self._pool.collector
        self._wait_until(lambda: self._idle(self._pool.scrapers), SCRAPES_S)
        for child in self._pool.stoppable:
            if child.name in self.idle:
                child.release()
            elif child.alive and not self._complete and child not in self._pool.scrapers:
                self.died.append(f"{child.name}: silent at the end")
        if collector.alive:
            collector.wake()
            collector.channel.send("finish", ending=self._ending(), refused=refused)
            self._wait_until(
                lambda: self._figures is not None or not collector.alive, CLOSING_S, ignore_interrupts=True
            )
        return self._figures or self._close_here(refused)

    def _close_here(self, refused: Sequence[tuple[int, str]]) -> Figures:
        if self._pool.collector.alive:
            self.died.append(f"{self._pool.collector.name}: silent for {CLOSING_S:g} s")
        setup = descriptor_numbers(self._pool.accounting)
        accounting = Accounting(setup)
        if setup["run_dir"]:
            save_all_send_times(Path(setup["run_dir"]), accounting.shared_counters.send_times)
        accounting.refuse(refused)
        return accounting.close(self.started_ns, self._ending())

    def _ending(self) -> dict[str, Any]:
        """How the run ended, for the accounting."""
        busy = [report["busy_share"] for report in self.idle.values() if "busy_share" in report]
        return {
            "stopped_ns": self._stopped_ns,
            "drained_ns": self._drained_ns,
            "died": self.died,
            "busiest_sender": max(busy, default=None),
        }

    def _wait_until(self, reached: Callable[[], bool], limit_s: float, *, ignore_interrupts: bool = False) -> None:
        """Handle messages until `reached()`, for `limit_s` at most; a second Ctrl-C ends it too, unless ignored."""
        deadline = time.monotonic() + limit_s
        while not reached() and time.monotonic() < deadline and (ignore_interrupts or self._interrupts.count < 2):
            self._receive(max(deadline - time.monotonic(), 0.001))

    def _wait_for_jobs(self) -> None:
        """Wait until no job of the run is left on the server, which the senders limit; one more Ctrl-C ends it."""
        jobs, began_s = sum(each["jobs"] for each in self._waiting.values()), time.monotonic()
        interrupts = self._interrupts.count
        if jobs:
            self._notify(f"waiting for {jobs} unfinished jobs, whose work a DELETE would not stop; Ctrl-C ends it")
        reminded_s = began_s
        end_s = began_s + max(each["limit_s"] for each in self._waiting.values()) + ABANDON_S
        while not self._all_idle() and time.monotonic() < end_s and self._interrupts.count == interrupts < 2:
            self._receive(POLL_S)
            if jobs and time.monotonic() - reminded_s > REMIND_S:
                reminded_s = time.monotonic()
                self._notify(f"still waiting for unfinished jobs after {reminded_s - began_s:.0f} s")
        self.wait_interrupted = self._complete and self._interrupts.count > interrupts
        if not self._all_idle():
            self._pool.send("skip_deletes", self._pool.senders)
            self._wait_until(self._all_idle, ABANDON_S, ignore_interrupts=True)
        if jobs:
            left = sum(self.idle.get(name, {}).get("unfinished", 0) for name in self._waiting)
            ending = f"{left} are still unfinished" if left else "all have ended"
            self._notify(f"waited {time.monotonic() - began_s:.1f} s for {jobs} unfinished jobs: {ending}")

    def _all_idle(self) -> bool:
        return self._idle(self._without_scrapers())

    def _all_ended(self) -> bool:
        """Whether nothing is in flight; jobs may be left on the server."""
        return self._idle([child for child in self._without_scrapers() if child.name not in self._waiting])

    def _without_scrapers(self) -> list[ChildProcess]:
        return [child for child in self._pool.stoppable if child not in self._pool.scrapers]

    def _idle(self, children: Sequence[ChildProcess]) -> bool:
        return all(child.name in self.idle or not child.alive for child in children)

    def _receive(self, timeout_s: float) -> None:
        for child, message in self._pool.processes.messages(timeout_s, [self._interrupts.fileno()]):
            self._handle(child, message)
        self._interrupts.drain()

    def _handle(self, child: ChildProcess, message: Message) -> None:
        if child is self._pool.collector:
            self._last_message_ns = now_ns()
        if error := message.pop("unwritten", None):
            self.save_errors.append(error)
        match message.pop("kind"):
            case "snapshot":
                self._on_snapshot(message)  # type: ignore[arg-type]
            case "complete":
                self._complete = True
            case "waiting":
                self._waiting[child.name] = message
            case "idle":
                self.idle[child.name] = message
            case "figures":
                self._figures = message["figures"]
                self.idle[child.name] = message["usage"]
            case "died" if child in self._pool.scrapers or child is self._pool.writer:
                self.idle[child.name] = {"died": child.exit_reason()}
            case "died":
                self.died.append(f"{child.name}: {child.exit_reason()}")
