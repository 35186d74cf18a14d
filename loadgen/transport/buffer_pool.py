"""Rooms: memory for large bodies, used again, so that a body costs no page faults and no zeroing."""

from typing import Final

import numpy as np

KEPT: Final = 16  # rooms that lie ready, for one event loop
LARGEST: Final = 16 << 20  # a larger body gets memory of its own, which is not touched before bytes come


class BufferPool:
    """Gives out memory of at least a size, and takes it back."""

    def __init__(self) -> None:
        self._free: list[bytearray] = []

    def take(self, size: int) -> memoryview:
        """Memory for exactly `size` bytes; what is in it is rubbish."""
        if size > LARGEST:
            return np.empty(size, np.uint8).data
        for place, buffer in enumerate(self._free):
            if size <= len(buffer) <= 4 * size:
                del self._free[place]
                return memoryview(buffer)[:size]
        return memoryview(bytearray(size))

    def give(self, buffer: memoryview) -> None:
        """Take memory back; nobody may look at it any more."""
        if isinstance(buffer.obj, bytearray) and len(buffer.obj) <= LARGEST and len(self._free) < KEPT:
            self._free.append(buffer.obj)
