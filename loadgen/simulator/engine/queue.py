"""The queue of the simulated server: `replicas` servers, first come first served; times are computed, not measured."""

import heapq
import random
from collections import deque
from collections.abc import Iterable
from typing import Final

from loadgen.simulator.engine.options import SimulatorOptions
from loadgen.simulator.engine.request_log import LogEntry

_LONGEST_NS: Final = 10**16  # 115 days, so that times stay within 64 bits


class ReplicaQueue:
    """The time at which each replica becomes free; generations start in the order of admission."""

    def __init__(self, replicas: int) -> None:
        self._free_ns = [0] * replicas
        self._starts_ns: deque[int] = deque()  # of waiting generations, in ascending order
        self._finishes_ns: list[int] = []  # of waiting and running generations; a heap

    def admit(self, now_ns: int, service_ns: int) -> tuple[int, int]:
        """Assign the replica that becomes free first; return (start, finish) in ns of the caller's clock."""
        self._expire(now_ns)
        start_ns = max(now_ns, self._free_ns[0])
        heapq.heapreplace(self._free_ns, start_ns + service_ns)
        self._starts_ns.append(start_ns)
        heapq.heappush(self._finishes_ns, start_ns + service_ns)
        return start_ns, start_ns + service_ns

    def replan(self, now_ns: int, entries: Iterable[LogEntry]) -> None:
        """Forget all generations but `entries`: those that run go on, the others start in order as soon as they can."""
        running: list[LogEntry] = []
        waiting: list[LogEntry] = []
        for entry in entries:
            (running if entry.started_ns <= now_ns else waiting).append(entry)
        self._finishes_ns = sorted(entry.finished_ns for entry in running)  # a sorted list is a heap
        self._free_ns = [now_ns] * (len(self._free_ns) - len(running)) + self._finishes_ns
        self._starts_ns.clear()
        for entry in waiting:
            entry.started_ns, entry.finished_ns = self.admit(now_ns, entry.finished_ns - entry.started_ns)

    def occupancy(self, now_ns: int) -> tuple[int, int]:
        """Return how many generations run and how many wait."""
        self._expire(now_ns)
        return len(self._finishes_ns) - len(self._starts_ns), len(self._starts_ns)

    def _expire(self, now_ns: int) -> None:
        while self._starts_ns and self._starts_ns[0] <= now_ns:
            self._starts_ns.popleft()
        while self._finishes_ns and self._finishes_ns[0] <= now_ns:
            heapq.heappop(self._finishes_ns)


class ServiceTimes:
    """Seeded service times; the n-th draw belongs to the n-th generation that is admitted."""

    def __init__(self, options: SimulatorOptions) -> None:
        self._options = options
        self._random = random.Random(options.seed)

    def draw_ns(self, units: float) -> int:
        """Return the service time, in ns, of a generation of `units` units of work."""
        mean_ms = self._options.base_ms + self._options.unit_ms * units
        return round(min(mean_ms * 1e6 * self._factor(), _LONGEST_NS))

    def _factor(self) -> float:
        """Draw from the distribution of mean 1: exp(N(m, s^2)) has the mean exp(m + s^2/2), hence m = -s^2/2."""
        sigma = self._options.service_sigma
        match self._options.service:
            case "exponential":
                return self._random.expovariate(1.0)
            case "lognormal":
                return self._random.lognormvariate(-sigma * sigma / 2, sigma)
            case _:
                return 1.0
