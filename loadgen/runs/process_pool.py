"""The process pool: the child processes of one run, and the messages to them."""

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
from loadgen.server.target import Target, redacted
from loadgen.system import file_descriptors
from loadgen.system.cpu_affinity import parse_affinity, usable_cores
from loadgen.transport import choose

READY_S: Final = 60.0
_MAX_RATE: Final = 1e9  # requests/s; stands for the rate of a trace whose timestamps are all equal
SAMPLED_CORES: Final = 8  # that the stall sampler watches if processes are not pinned
CONNECTIONS: Final = 1024  # that a sender opens in advance, at most


@dataclasses.dataclass(frozen=True, slots=True)
class OutputFolders:
    """Folders that a run writes to: its run folder, and one for answers; None if these are not kept."""

    run_dir: RunDir | None
    answers: Path | None


class ProcessPool:
    """One collector, one scheduler, N senders, all ready. A run survives the death of `scrapers` and of the writer."""

    def __init__(
        self,
        processes: ChildProcesses,
        plan: Plan,
        options: BenchOptions,
        targets: Sequence[Target],
        folders: OutputFolders,
    ) -> None:
        file_descriptors.check(_in_flight_per_sender(plan, options) * len(targets), options.traffic.senders)
        self.processes = processes
        self._drain_s, self._last_arrival_ns = options.traffic.drain_s, int(plan.arrivals_ns[-1])
        self.accounting = self._create_accounting(plan, options, folders.run_dir)
        self._shared_counters = SharedCounters.attach(descriptor_numbers(self.accounting["shared_counters"]))
        traffic = options.traffic
        self._affinity = parse_affinity(traffic.pin, usable_cores(), traffic.senders)
        self.collector = processes.start(
            "collector", "collector.process.collector", cores=self._affinity.of("collector"), **self.accounting
        )
        self.scheduler = processes.start(
            "scheduler",
            "loadgen.engine.scheduler",
            arrivals=self.accounting["arrivals"],
            senders=traffic.senders,
            cores=self._affinity.of("scheduler"),
            realtime=traffic.realtime,
        )
        self.rings = [RingBuffer.create() for _ in range(traffic.senders)] if folders.answers else []
        writer_pipe = _pipe()
        self.writer = self._start_writer(writer_pipe[0], folders.answers) if folders.answers else None
        self.senders = self._start_senders(plan, options, targets, writer_pipe[1])
        sampled = self._affinity.all() or usable_cores()[:SAMPLED_CORES]
        self.sampler = processes.start(
            "sampler", "loadgen.monitoring.stall_sampler", sampled=sampled, stalls=self.accounting["stalls"]
        )
        self.metrics = _open_metrics(options.target, folders.run_dir)
        self.scrapers = [self._start_scraper(options.target, self.metrics)] if self.metrics else []
        children = [self.collector, self.scheduler, *self.senders, self.sampler, *self.scrapers]
        children += [self.writer] if self.writer else []
        self.ready = processes.wait_for("ready", children, READY_S)

    def _create_accounting(self, plan: Plan, options: BenchOptions, run_dir: RunDir | None) -> dict[str, Any]:
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
        share = _in_flight_per_sender(plan, options)
        return [
            self.processes.start(
                f"sender {number}",
                "loadgen.engine.sender_process",
                number=number,
                cores=self._affinity.of("senders", number),
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
                verify_size=traffic.verify_size,
                response_format=options.target.response_format,
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
        """If processes are pinned, it shares the collector's cores."""
        return self.processes.start(
            "scraper",
            "loadgen.monitoring.metrics_scraper",
            cores=self._affinity.of("collector"),
            pages=page_urls(target.server_metrics, target.base_url),
            metrics=metrics,
            ca_file=target.ca_file,
            insecure=target.insecure,
            proxy=target.proxy,
        )

    @property
    def stoppable(self) -> list[ChildProcess]:
        """The processes that answer "stop" with "idle" and their own measurements."""
        return [self.scheduler, *self.senders, self.sampler, *self.scrapers]

    def unsaved(self) -> list[int]:
        """Plan indexes of answers that were captured and not written to disk, even if the writer died."""
        rings = (RingBuffer({name: each.fileno() for name, each in ring.items()}) for ring in self.rings)
        return sorted(index for ring in rings for index in ring.waiting())

    def drain_ns(self, started_ns: int) -> int | None:
        """When the time limit of `--drain` ends for a run started at `started_ns`; None: never."""
        if self._drain_s is None:
            return None
        return started_ns + self._last_arrival_ns + int(self._drain_s * SECOND_NS)

    def all_ended(self) -> bool:
        """Whether every planned request has ended, by the senders' counters."""
        return self._shared_counters.finished() >= len(self._shared_counters.send_times)

    def stop(self) -> None:
        """Stop sending. Paused processes (SIGSTOP) are resumed, to receive the message."""
        for child in self.stoppable:
            child.wake()
        self.send("stop", self.stoppable)

    def abandon(self, outcome: Outcome) -> None:
        """Let the senders end all requests in flight with this outcome."""
        self.send("abandon", self.senders, outcome=outcome.name)

    def reopen(self) -> None:
        """Let the senders reopen connections that the server closed during the warm-ups."""
        self.send("open", self.senders)
        self.processes.wait_for("opened", self.senders, READY_S)

    def set_slo(self, slo_ms: "np.ndarray[Any, np.dtype[np.float64]]") -> None:
        """Set the SLO target of each request (ms, nan: none), before the start."""
        shared_memory.attach(self.accounting["slo_ms"].fileno(), np.float64, writable=True)[:] = slo_ms

    def send(self, kind: str, children: Sequence[ChildProcess] | None = None, **fields: Any) -> None:
        """Send the same message to several processes (None: all)."""
        for child in children if children is not None else [self.collector, *self.stoppable]:
            child.channel.send(kind, **fields)


def _open_metrics(target: TargetOptions, run_dir: RunDir | None) -> Descriptor | None:
    if not target.server_metrics:
        return None
    return run_dir.open(run_folder.METRICS) if run_dir else shared_memory.anonymous_file()


def _pipe() -> tuple[Descriptor, Descriptor]:
    """A wake-up pipe: the end to watch, and the end to write to, which never blocks."""
    read, write = map(Descriptor, os.pipe())
    os.set_blocking(write.fileno(), False)
    return read, write


def _in_flight_per_sender(plan: Plan, options: BenchOptions) -> int:
    """The equal share of one sender in the requests in flight."""
    return math.ceil(min(options.traffic.max_concurrency, len(plan)) / options.traffic.senders)


def descriptor_numbers(setup: Any) -> Any:
    """The setup message as a child gets it, with descriptors as numbers."""
    if isinstance(setup, dict):
        return {name: descriptor_numbers(value) for name, value in setup.items()}
    return setup.fileno() if isinstance(setup, Descriptor) else setup


def run_parameters(plan: Plan, options: BenchOptions) -> dict[str, Any]:
    """The settings that the collector needs to compute the figures."""
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
        "output_format": str(options.target.extra_body.get("output_format") or "")[:32],
    }


def _asked_rate(plan: Plan, options: BenchOptions) -> str:
    """The requested rate as text, since JSON has no infinity."""
    if not options.arrivals.planned:
        return "inf"
    return str(min(plan.rate, _MAX_RATE) if options.arrivals.process == "trace" else options.arrivals.rate)
