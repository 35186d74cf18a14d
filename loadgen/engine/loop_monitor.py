"""The loop monitor: CPU use and stalls of an event loop, and the share of its time spent in a busy wait."""

import asyncio
from typing import Any, Final

from collector.records.resource_usage import ResourceUsage
from loadgen.clock import SECOND_NS, now_ns

PERIOD_S: Final = 0.05
STALL_NS: Final = 5_000_000  # loop timers are good to a millisecond or two


class LoopMonitor:
    """Measures from `start` on. A late tick is a stall: the loop was busy, or the machine took the core away."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._usage = loop, ResourceUsage()
        self._due_ns = self._stalls = self._longest_ns = 0
        self._spin_ns = self._spin_since_ns = 0

    def start(self) -> None:
        """Start to measure."""
        self._usage = ResourceUsage()
        self._schedule_tick()

    def _schedule_tick(self) -> None:
        self._due_ns = now_ns() + int(PERIOD_S * SECOND_NS)
        self._loop.call_later(PERIOD_S, self._tick)

    def _tick(self) -> None:
        late_ns = now_ns() - self._due_ns
        if late_ns > STALL_NS:
            self._stalls += 1
        self._longest_ns = max(self._longest_ns, late_ns)
        self._schedule_tick()

    def begin_spin(self) -> None:
        """Note that the loop now only spins until the next send."""
        if not self._spin_since_ns:
            self._spin_since_ns = now_ns()

    def end_spin(self) -> None:
        """Note that the busy wait is over."""
        if self._spin_since_ns:
            self._spin_ns += now_ns() - self._spin_since_ns
            self._spin_since_ns = 0

    def figures(self) -> dict[str, Any]:
        """Resource usage, stalls, and `busy_share`: the CPU share without the busy wait."""
        figures = self._usage.figures()
        spin_share = self._spin_ns / SECOND_NS / figures["wall_s"] if figures["wall_s"] else 0.0
        return {
            **figures,
            "busy_share": max(figures["cpu_share"] - spin_share, 0.0),
            "stalls": self._stalls,
            "longest_stall_s": self._longest_ns / SECOND_NS,
        }
