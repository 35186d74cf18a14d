"""The gallery: a sender's way to keep answers. It makes a copy in memory; the disk is the saver's business."""

import os
from contextlib import suppress

from loadgen.capture.ring_buffer import Ring
from loadgen.capture.write_errors import Losses


class Gallery:
    """Puts bodies where the saver finds them, and counts those for which there is no room."""

    def __init__(self, ring: Ring, bell: int) -> None:
        self._ring, self._bell = ring, bell
        self.losses = Losses()
        os.set_blocking(bell, False)

    def keep(self, index: int, body: bytes | memoryview) -> None:
        """Have the body of request `index` saved, soon."""
        if not self._ring.put(index, body):
            self.losses.add(index, "the disk is slower than the answers, or one of them larger than what may wait")
            return
        with suppress(BlockingIOError):  # full: it is ringing already
            os.write(self._bell, b"\0")
