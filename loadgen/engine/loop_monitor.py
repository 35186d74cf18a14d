"""The pulse of an event loop: what it cost, when it stalled, and how much of that was waiting awake."""

import asyncio
from typing import Any, Final

from collector.records.resource_usage import ResourceUsage
from loadgen.clock import SECOND_NS, now_ns

BEAT_S: Final = 0.05
STALL_NS: Final = 5_000_000  # loop timers are good to a millisecond or two


class LoopMonitor:
    """Counts from `start`. A beat that comes late is a stall: the loop was busy, or the machine took the core away."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._vitals = loop, ResourceUsage()
        self._due_ns = self._stalls = self._longest_ns = 0
        self._awake_ns = self._awake_since_ns = 0

    def start(self) -> None:
        """Begin to beat."""
        self._vitals = ResourceUsage()
        self._next()

    def _next(self) -> None:
        self._due_ns = now_ns() + int(BEAT_S * SECOND_NS)
        self._loop.call_later(BEAT_S, self._beat)

    def _beat(self) -> None:
        late_ns = now_ns() - self._due_ns
        if late_ns > STALL_NS:
            self._stalls += 1
        self._longest_ns = max(self._longest_ns, late_ns)
        self._next()

    def wait_awake(self) -> None:
        """Note that there is nothing to do but to go round until the next send."""
        if not self._awake_since_ns:
            self._awake_since_ns = now_ns()

    def work(self) -> None:
        """Note that waiting awake is over."""
        if self._awake_since_ns:
            self._awake_ns += now_ns() - self._awake_since_ns
            self._awake_since_ns = 0

    def signs(self) -> dict[str, Any]:
        """Vital signs, late beats, and the share of the time that was spent waiting awake."""
        signs = self._vitals.signs()
        awake_share = self._awake_ns / SECOND_NS / signs["wall_s"] if signs["wall_s"] else 0.0
        return {
            **signs,
            "busy_share": max(signs["cpu_share"] - awake_share, 0.0),
            "stalls": self._stalls,
            "longest_stall_s": self._longest_ns / SECOND_NS,
        }
