"""The shared concurrency budget: at most C requests in flight over all senders, admitted in schedule order.

Request i may be sent as soon as i < finished + C. Each sender counts its finished requests in its own cell of shared
memory (one writer, so no lock and no semaphore); the limit is exact, the order first come, first served. Only a sender
that waits has to be woken: it stores the count it waits for, and whichever sender reaches it writes to its wakeup
descriptor.
"""

import os
import threading
from collections.abc import Sequence
from contextlib import suppress

from collector.records.shared_counters import AWAITED, FINISHED, NOTHING, STRIDE, SharedCounters


class Budget:
    """One sender's view of the budget. `wakeups` holds a descriptor per sender; writing to it wakes that sender."""

    def __init__(self, shared_counters: SharedCounters, sender: int, permits: int, wakeups: Sequence[int]) -> None:
        self._cells = shared_counters.counters.data
        self._finished = [k * STRIDE + FINISHED for k in range(len(wakeups))]
        self._own = sender * STRIDE
        self._others = [(k * STRIDE + AWAITED, wakeup) for k, wakeup in enumerate(wakeups) if k != sender]
        self._permits = permits
        self._limit = (
            permits  # requests below this index may be sent; a stale value is safe, since the count only grows
        )
        self._barrier_lock = threading.Lock()

    def admits(self, index: int) -> bool:
        """Whether request `index` may be sent now. If not, this sender is woken when it may."""
        if index < self._limit or index < self._count_finished():
            return True
        cells, awaited = self._cells, self._own + AWAITED
        cells[awaited] = index - self._permits + 1
        self._memory_barrier()
        if index >= self._count_finished():
            return False
        cells[awaited] = NOTHING
        return True

    def finish(self) -> None:
        """Return the permit of one finished request."""
        self._cells[self._own + FINISHED] += 1
        if self._others:
            self._memory_barrier()
            self._wake_waiting(self._count_finished() - self._permits)

    def stop_waiting(self) -> None:
        """Stop waiting after a wake-up; the sender calls `admits` again."""
        self._cells[self._own + AWAITED] = NOTHING

    def _count_finished(self) -> int:
        cells = self._cells
        self._limit = self._permits + sum([cells[k] for k in self._finished])
        return self._limit

    def _wake_waiting(self, finished: int) -> None:
        cells = self._cells
        for awaited, wakeup in self._others:
            if cells[awaited] <= finished:
                with suppress(BlockingIOError):  # full: a wake-up is pending already
                    os.write(wakeup, b"\0")

    def _memory_barrier(self) -> None:
        """Order the store before this call ahead of the load after it: processors may reorder the two.

        Without it, a sender that starts to wait and one that finishes could each miss the other's store. A lock is
        a full barrier on x86 and nearly one elsewhere; as a safeguard, waiting senders also check again periodically.
        """
        with self._barrier_lock:
            pass
