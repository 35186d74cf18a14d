"""The shared concurrency budget: at most C requests in flight over all senders, admitted in schedule order.

Request i may go as soon as i < finished + C. Each sender counts what it has finished in a cell of its own, so no lock
and no semaphore is needed, the cap is exact, and first come is first served. Only a sender that waits has to be woken:
it posts how many must have finished, and whoever counts past that rings its bell.
"""

import os
import threading
from collections.abc import Sequence
from contextlib import suppress

from collector.records.shared_counters import AWAITED, FINISHED, NOTHING, STRIDE, SharedCounters


class Budget:
    """One sender's view of the budget. `wakeups` are descriptors, one a sender, that wake it when written to."""

    def __init__(self, shared_counters: SharedCounters, sender: int, permits: int, wakeups: Sequence[int]) -> None:
        self._cells = shared_counters.counters.data
        self._finished = [k * STRIDE + FINISHED for k in range(len(wakeups))]
        self._mine = sender * STRIDE
        self._others = [(k * STRIDE + AWAITED, wakeup) for k, wakeup in enumerate(wakeups) if k != sender]
        self._permits = permits
        self._limit = permits  # requests below this index may go; stale is safe, for the count only grows
        self._fence = threading.Lock()

    def admits(self, index: int) -> bool:
        """Whether request `index` may be sent now. If not, this sender is rung once it may."""
        if index < self._limit or index < self._count():
            return True
        cells, awaited = self._cells, self._mine + AWAITED
        cells[awaited] = index - self._permits + 1
        self._order()
        if index >= self._count():
            return False
        cells[awaited] = NOTHING
        return True

    def finish(self) -> None:
        """Give back the permit of one request that has ended."""
        self._cells[self._mine + FINISHED] += 1
        if self._others:
            self._order()
            self._ring(self._count() - self._permits)

    def woken(self) -> None:
        """Note that this sender was rung: it asks anew by `admits`."""
        self._cells[self._mine + AWAITED] = NOTHING

    def _count(self) -> int:
        cells = self._cells
        self._limit = self._permits + sum([cells[k] for k in self._finished])
        return self._limit

    def _ring(self, finished: int) -> None:
        cells = self._cells
        for awaited, wakeup in self._others:
            if cells[awaited] <= finished:
                with suppress(BlockingIOError):  # full: it is ringing already
                    os.write(wakeup, b"\0")

    def _order(self) -> None:
        """Make the store before this visible before the load after it; a processor may swap the two otherwise.

        Without it a sender that posts what it waits for and one that finishes could each miss the other's news. A lock
        is a full barrier on x86 and nearly one elsewhere; for the rest, senders that wait look again now and then.
        """
        with self._fence:
            pass
