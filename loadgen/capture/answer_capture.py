"""Answer capture: a sender copies the bodies to keep into shared memory; the answer writer writes them to disk."""

import os
from contextlib import suppress

from loadgen.capture.ring_buffer import RingBuffer
from loadgen.capture.write_errors import WriteErrors


class AnswerCapture:
    """Puts bodies into the ring buffer of this sender, and counts those that do not fit."""

    def __init__(self, ring: RingBuffer, wakeup: int) -> None:
        self._ring, self._wakeup = ring, wakeup
        self.write_errors = WriteErrors()
        os.set_blocking(wakeup, False)

    def keep(self, index: int, body: bytes | memoryview) -> None:
        """Queue the body of request `index` for writing."""
        if not self._ring.put(index, body):
            self.write_errors.add(
                index,
                "the disk is slower than the answers, or an answer is larger than the capture buffer",
            )
            return
        with suppress(BlockingIOError):  # full: a wake-up is pending already
            os.write(self._wakeup, b"\0")
