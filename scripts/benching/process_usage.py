"""Resource usage of the processes of a run, sampled from /proc."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scripts.benching.table import UNKNOWN

PERIOD_S = 0.2
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class ProcessUsage:
    """Usage of one process: time (CLOCK_MONOTONIC ns), module or program, CPU so far in s, PSS in MB.

    `own_mb` is the anonymous part of `pss_mb`; it is constant in a process that accumulates nothing.
    """

    time_ns: int
    name: str
    cpu_s: float
    pss_mb: float
    own_mb: float


Snapshot = tuple[ProcessUsage, ...]


@contextmanager
def sampled(pid: int, core: int | None) -> Iterator[list[Snapshot]]:
    """Look at `pid` and its children now and then, from `core`, into the list that is given; never, if it is None."""
    snapshots: list[Snapshot] = []
    if core is None:
        yield snapshots
        return
    with repeated(lambda: snapshots.append(take_snapshot(pid)), PERIOD_S, {core}):
        yield snapshots


@contextmanager
def repeated(take: Callable[[], None], period_s: float, cores: set[int] | None = None) -> Iterator[None]:
    """Call `take` every `period_s` in a thread of its own, on `cores` if any are named."""
    ended = threading.Event()

    def keep_looking() -> None:
        if cores is not None:
            os.sched_setaffinity(0, cores)  # of this thread only: the sender's core is left alone
        while not ended.wait(period_s):
            take()

    thread = threading.Thread(target=keep_looking, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def take_snapshot(parent: int) -> Snapshot:
    """Look at a process and its children; those that have just ended are left out."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError):
            pid, stat = int(path.name), parse_stat((path / "stat").read_text())
            if parent in (pid, stat.parent):
                pss_mb, own_mb = parse_memory((path / "smaps_rollup").read_text())
                name = program((path / "cmdline").read_text())
                found.append(ProcessUsage(time.monotonic_ns(), name, stat.cpu_s, pss_mb, own_mb))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Stat:
    """Parent's id, and CPU time so far in s."""

    parent: int
    cpu_s: float


def parse_stat(text: str) -> Stat:
    """Read /proc/PID/stat, whose second field is a name that may hold anything."""
    fields = text.rsplit(")", 1)[1].split()
    return Stat(int(fields[1]), (int(fields[11]) + int(fields[12])) * _TICK_S)


def parse_memory(text: str) -> tuple[float, float]:
    """Read /proc/PID/smaps_rollup: PSS, and what of it is anonymous, in MB."""
    words = [line.split() for line in text.splitlines()[1:]]
    kilobytes = {line[0]: int(line[1]) for line in words}
    return kilobytes["Pss:"] / 1024, kilobytes.get("Pss_Anon:", 0) / 1024


def program(command_line: str) -> str:
    """Name a process by the module that it runs, else by its program."""
    words = command_line.split("\0")
    return words[words.index("-m") + 1] if "-m" in words else Path(words[0]).name


def peak_mb(snapshots: list[Snapshot]) -> float:
    """Most memory at one time, of all processes."""
    return max((sum(sight.pss_mb for sight in sights) for sights in snapshots), default=UNKNOWN)


def growth_mb(snapshots: list[Snapshot], name: str) -> float:
    """How much the own memory of the processes called `name` grew from a quarter of their time on, at most."""
    totals = [sum(sight.own_mb for sight in sights if sight.name == name) for sights in snapshots]
    alive = [total for total in totals if total]
    if len(alive) < 4:
        return UNKNOWN
    later = alive[len(alive) // 4 :]
    return max(later) - later[0]


def cpu_s(snapshots: list[Snapshot], since_ns: int, until_ns: int) -> float:
    """CPU of all processes between two instants, in s; straight lines between the looks."""
    total = 0.0
    for name in {sight.name for sights in snapshots for sight in sights}:
        own = [sight for sights in snapshots for sight in sights if sight.name == name]
        used = np.interp([since_ns, until_ns], [each.time_ns for each in own], [each.cpu_s for each in own])
        total += float(used[1] - used[0])
    return total
