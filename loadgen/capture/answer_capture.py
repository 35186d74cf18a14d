"""The gallery: a sender's way to keep answers. It makes a copy in memory; the disk is the saver's business."""

import os
from contextlib import suppress

from loadgen.capture.ring_buffer import RingBuffer
from loadgen.capture.write_errors import WriteErrors


class AnswerCapture:
    """Puts bodies where the saver finds them, and counts those for which there is no room."""

    def __init__(self, ring: RingBuffer, wakeup: int) -> None:
        self._ring, self._wakeup = ring, wakeup
        self.write_errors = WriteErrors()
        os.set_blocking(wakeup, False)

    def keep(self, index: int, body: bytes | memoryview) -> None:
        """Have the body of request `index` saved, soon."""
        if not self._ring.put(index, body):
            self.write_errors.add(
                index, "the disk is slower than the answers, or one of them larger than what may wait"
            )
            return
        with suppress(BlockingIOError):  # full: it is ringing already
            os.write(self._wakeup, b"\0")
