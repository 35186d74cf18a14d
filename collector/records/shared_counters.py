"""The board: what senders post in shared memory, so that it survives them and costs no message.

Every cell has one writer. Counters stand a cache line apart so that senders do not slow each other down.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.records import shared_memory

STRIDE: Final = 8  # cells of 8 bytes: one cache line a sender
SENT: Final = 0  # requests this sender has sent
FINISHED: Final = 1  # ... and of those, how many have ended, in whatever way
AWAITED: Final = 2  # how many must have ended, over all senders, before this one can go on
NOTHING: Final = (1 << 63) - 1  # AWAITED of a sender that waits for no permit


@dataclass(frozen=True, slots=True)
class SharedCounters:
    """`counters`: int64[senders * STRIDE]; `marks`: int64[planned], when a request was sent (ns), 0 if never."""

    counters: NDArray[np.int64]
    marks: NDArray[np.int64]

    @classmethod
    def create(cls, senders: int, planned: int) -> dict[str, shared_memory.Descriptor]:
        """Make an empty board; in a message, it is what `attach` takes."""
        counters = np.zeros(senders * STRIDE, np.int64)
        counters[AWAITED::STRIDE] = NOTHING
        return {"counters": shared_memory.share(counters), "marks": shared_memory.allocate(planned, np.int64)}

    @classmethod
    def attach(cls, descriptors: Mapping[str, int]) -> "SharedCounters":
        """See the board that the parent made."""
        return cls(
            *(shared_memory.attach(descriptors[name], np.int64, writable=True) for name in ("counters", "marks"))
        )

    def sender_counters(self, sender: int) -> "SenderCounters":
        """Where sender number `sender` posts what it has sent."""
        return SenderCounters(self.counters.data, self.marks.data, sender * STRIDE + SENT)

    def sent(self) -> int:
        """Requests sent so far, over all senders."""
        return int(self.counters[SENT::STRIDE].sum())

    def finished(self) -> int:
        """Requests that have ended so far, over all senders."""
        return int(self.counters[FINISHED::STRIDE].sum())


@dataclass(frozen=True, slots=True)
class SenderCounters:
    """One sender's cells for what it has sent."""

    counters: memoryview
    marks: memoryview
    cell: int

    def sent(self, index: int, time_ns: int) -> None:
        """Mark request `index` as sent, before it is: whatever becomes of this process, it is then accounted for."""
        self.marks[index] = time_ns
        self.counters[self.cell] += 1
