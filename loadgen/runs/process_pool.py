"""The crew: the processes of one run, and what can be asked of them."""

import dataclasses
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from collector.records import shared_memory
from collector.records.record import Outcome
from collector.records.shared_counters import SharedCounters
from collector.records.shared_memory import Descriptor
from collector.saved import run_folder
from loadgen.capture.ring_buffer import RingBuffer
from loadgen.clock import SECOND_NS
from loadgen.monitoring.metrics_urls import page_urls
from loadgen.options import BenchOptions, TargetOptions
from loadgen.planning.plan import Plan
from loadgen.processes.child_processes import ChildProcess, ChildProcesses
from loadgen.runs.run_folder import RunDir
from loadgen.system import file_descriptors
from loadgen.system.cpu_affinity import parse_affinity, usable_cores
from loadgen.transport import choose
from loadgen.transport.target import Target, redacted

READY_S: Final = 60.0
_ALL_AT_ONCE: Final = 1e9  # requests per second of a trace whose timestamps are all equal: planned, and no closed loop
SAMPLED: Final = 8  # cores that the sampler watches, where nothing is pinned
CONNECTIONS: Final = 1024  # a sender opens at most this many ahead of time


@dataclasses.dataclass(frozen=True, slots=True)
class OutputFolders:
    """Where a run writes: a folder of its own, and one for answers to be saved; None where nothing is kept."""

    run_dir: RunDir | None
    answers: Path | None


class ProcessPool:
    """One collector, one scheduler, N senders, all ready; of the `onlookers` and the saver no death ends a run."""

    def __init__(
        self,
        processes: ChildProcesses,
        plan: Plan,
        options: BenchOptions,
        targets: Sequence[Target],
        places: OutputFolders,
    ) -> None:
        file_descriptors.check(_share(plan, options) * len(targets), options.traffic.senders)
        self.processes = processes
        self._drain_s, self._last_arrival_ns = options.traffic.drain_s, int(plan.arrivals_ns[-1])
        self.accounting = self._open_accounting(plan, options, places.run_dir)
        self._shared_counters = SharedCounters.attach(numbered(self.accounting["shared_counters"]))
        traffic = options.traffic
        self._pins = parse_affinity(traffic.pin, usable_cores(), traffic.senders)
        self.collector = processes.start(
            "collector", "collector.process.collector", cores=self._pins.of("collector"), **self.accounting
        )
        self.scheduler = processes.start(
            "scheduler",
            "loadgen.engine.scheduler",
            arrivals=self.accounting["arrivals"],
            senders=traffic.senders,
            cores=self._pins.of("scheduler"),
            realtime=traffic.realtime,
        )
        self.rings = [RingBuffer.create() for _ in range(traffic.senders)] if places.answers else []
        writer_pipe = _pipe()
        self.writer = self._start_writer(writer_pipe[0], places.answers) if places.answers else None
        self.senders = self._start_senders(plan, options, targets, writer_pipe[1])
        sampled = self._pins.all() or usable_cores()[:SAMPLED]
        self.sampler = processes.start(
            "sampler", "loadgen.monitoring.stall_sampler", sampled=sampled, stalls=self.accounting["stalls"]
        )
        self.metrics = _open_metrics(options.target, places.run_dir)
        self.onlookers = [self._start_scraper(options.target, self.metrics)] if self.metrics else []
        everybody = [self.collector, self.scheduler, *self.senders, self.sampler, *self.onlookers]
        everybody += [self.writer] if self.writer else []
        self.ready = processes.wait_for("ready", everybody, READY_S)

    def _open_accounting(self, plan: Plan, options: BenchOptions, run_dir: RunDir | None) -> dict[str, Any]:
        return {
            "arrivals": shared_memory.share(plan.arrivals_ns),
            "slo_ms": shared_memory.share(plan.slo_ms),
            "shared_counters": SharedCounters.create(options.traffic.senders, len(plan)),
            "record_file": run_dir.open(run_folder.RECORDS) if run_dir else shared_memory.anonymous_file(),
            "stalls": run_dir.open(run_folder.STALLS) if run_dir else shared_memory.anonymous_file(),
            "run_dir": str(run_dir.folder) if run_dir else None,
            "shapes": shared_memory.share(plan.shapes[plan.entries]),
            "parameters": run_parameters(plan, options),
        }

    def _start_writer(self, wakeup: Descriptor, answers: Path) -> ChildProcess:
        return self.processes.start(
            "writer", "loadgen.capture.answer_writer", rings=self.rings, wakeup=wakeup, answers=str(answers)
        )

    def _start_senders(
        self, plan: Plan, options: BenchOptions, targets: Sequence[Target], writer_wakeup: Descriptor
    ) -> list[ChildProcess]:
        traffic = options.traffic
        pipes = [_pipe() for _ in range(traffic.senders)]
        entries = shared_memory.share(plan.entries)
        share = _share(plan, options)
        return [
            self.processes.start(
                f"sender {number}",
                "loadgen.engine.sender_process",
                number=number,
                cores=self._pins.of("senders", number),
                realtime=traffic.realtime,
                targets=[dataclasses.asdict(target) for target in targets],
                store=plan.store,
                entries=entries,
                shared_counters=self.accounting["shared_counters"],
                wakeup=pipes[number][0],
                wakeups=[wakeup for _, wakeup in pipes],
                backend=options.target.backend,
                task=options.data.task,
                n=options.target.n,
                shapes=self.accounting["shapes"],
                verify=traffic.verify,
                transport=choose(traffic.transport, options.target),
                spin_us=traffic.spin_us,
                timeout_s=options.target.timeout_s,
                jobs=dataclasses.asdict(options.jobs),
                seed=options.arrivals.seed,
                max_concurrency=traffic.max_concurrency,
                connections=min(share, CONNECTIONS),
                ring=self.rings[number] if self.rings else None,
                writer_wakeup=writer_wakeup,
            )
            for number in range(traffic.senders)
        ]

    def _start_scraper(self, target: TargetOptions, metrics: Descriptor) -> ChildProcess:
        """Where processes are pinned, it shares the collector's cores."""
        return self.processes.start(
            "scraper",
            "loadgen.monitoring.metrics_scraper",
            cores=self._pins.of("collector"),
            pages=page_urls(target.server_metrics, target.base_url),
            metrics=metrics,
            ca_file=target.ca_file,
            insecure=target.insecure,
            proxy=target.proxy,
        )

    @property
    def stoppable(self) -> list[ChildProcess]:
        """Who is told to stop and then says `idle`, with what it measured of itself."""
        return [self.scheduler, *self.senders, self.sampler, *self.onlookers]

    def unsaved(self) -> list[int]:
        """Plan indexes of what was kept and not saved, whatever became of the saver."""
        rings = (RingBuffer({name: each.fileno() for name, each in ring.items()}) for ring in self.rings)
        return sorted(index for ring in rings for index in ring.waiting())

    def drain_ns(self, started_ns: int) -> int | None:
        """When `--drain` runs out on what has no answer, time zero being `started_ns`; None: never."""
        if self._drain_s is None:
            return None
        return started_ns + self._last_arrival_ns + int(self._drain_s * SECOND_NS)

    def all_ended(self) -> bool:
        """Whether every planned request has ended, by the senders' own count."""
        return self._shared_counters.finished() >= len(self._shared_counters.send_times)

    def stop(self) -> None:
        """Have nothing more sent. Who was paused (SIGSTOP) must go on for that."""
        for child in self.stoppable:
            child.wake()
        self.tell("stop", self.stoppable)

    def abandon(self, outcome: Outcome) -> None:
        """Have the senders give up what is in flight."""
        self.tell("abandon", self.senders, outcome=outcome.name)

    def reopen(self) -> None:
        """Have senders open again what the server closed while others were warming up."""
        self.tell("open", self.senders)
        self.processes.wait_for("opened", self.senders, READY_S)

    def set_slo(self, slo_ms: "np.ndarray[Any, np.dtype[np.float64]]") -> None:
        """Give every request its target (ms, nan: none), before the start."""
        shared_memory.attach(self.accounting["slo_ms"].fileno(), np.float64, writable=True)[:] = slo_ms

    def tell(self, kind: str, children: Sequence[ChildProcess] | None = None, **fields: Any) -> None:
        """Send the same message to several members; to all of the crew if none are named."""
        for child in children if children is not None else [self.collector, *self.stoppable]:
            child.channel.send(kind, **fields)


def _open_metrics(target: TargetOptions, run_dir: RunDir | None) -> Descriptor | None:
    if not target.server_metrics:
        return None
    return run_dir.open(run_folder.METRICS) if run_dir else shared_memory.anonymous_file()


def _pipe() -> tuple[Descriptor, Descriptor]:
    """A bell: the end to watch, and the end to write to, which never blocks."""
    read, write = map(Descriptor, os.pipe())
    os.set_blocking(write.fileno(), False)
    return read, write


def _share(plan: Plan, options: BenchOptions) -> int:
    """How many requests one sender may have in flight, the others having as many."""
    return math.ceil(min(options.traffic.max_concurrency, len(plan)) / options.traffic.senders)


def numbered(setup: Any) -> Any:
    """A setup message as a child gets it: descriptors are numbers."""
    if isinstance(setup, dict):
        return {name: numbered(value) for name, value in setup.items()}
    return setup.fileno() if isinstance(setup, Descriptor) else setup


def run_parameters(plan: Plan, options: BenchOptions) -> dict[str, Any]:
    """The facts that the figures rest on and that are decided before the start."""
    return {
        "max_concurrency": options.traffic.max_concurrency,
        "asked_rate": _asked_rate(plan, options),
        "latency_from": options.latency_from,
        "slo_enabled": options.slo.enabled,
        "slo_scale": options.slo.scale,
        "confidence": options.confidence,
        "arrival": options.arrivals.process,
        "burstiness": options.arrivals.burstiness,
        "rate_series": options.arrivals.rate_series,
        "urls": [redacted(url) for url in options.target.base_urls],
    }


def _asked_rate(plan: Plan, options: BenchOptions) -> str:
    """As text, since JSON has no infinity."""
    if not options.arrivals.planned:
        return "inf"
    return str(min(plan.rate, _ALL_AT_ONCE) if options.arrivals.process == "trace" else options.arrivals.rate)
