"""The counters and send times that senders write to shared memory: they survive a sender and cost no message.

Every cell has one writer. Counters are a cache line apart, so that senders do not slow each other down.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.records import shared_memory

STRIDE: Final = 8  # cells of 8 bytes: one cache line a sender
SENT: Final = 0  # requests this sender has sent
FINISHED: Final = 1  # of those, how many have ended, with whatever outcome
AWAITED: Final = 2  # how many must have ended, over all senders, before this sender can send again
NOTHING: Final = (1 << 63) - 1  # AWAITED of a sender that is not waiting for a permit


@dataclass(frozen=True, slots=True)
class SharedCounters:
    """`counters`: int64[senders * STRIDE]; `send_times`: int64[planned], ns of CLOCK_MONOTONIC, 0 if not sent."""

    counters: NDArray[np.int64]
    send_times: NDArray[np.int64]

    @classmethod
    def create(cls, senders: int, planned: int) -> dict[str, shared_memory.Descriptor]:
        """Allocate counters and send times; the descriptors, sent in a message, are what `attach` takes."""
        counters = np.zeros(senders * STRIDE, np.int64)
        counters[AWAITED::STRIDE] = NOTHING
        return {"counters": shared_memory.share(counters), "send_times": shared_memory.allocate(planned, np.int64)}

    @classmethod
    def attach(cls, descriptors: Mapping[str, int]) -> "SharedCounters":
        """Map the shared memory that the parent created."""
        return cls(
            *(shared_memory.attach(descriptors[name], np.int64, writable=True) for name in ("counters", "send_times"))
        )

    def sender_counters(self, sender: int) -> "SenderCounters":
        """The cells in which sender number `sender` counts what it has sent."""
        return SenderCounters(self.counters.data, self.send_times.data, sender * STRIDE + SENT)

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
    send_times: memoryview
    cell: int

    def sent(self, index: int, time_ns: int) -> None:
        """Record the send time of a request just before it is sent, so that it is counted even if this process dies."""
        self.send_times[index] = time_ns
        self.counters[self.cell] += 1
