"""The buffer pool: memory for large bodies, reused, so that a body causes no page faults and no zeroing."""

from typing import Final

import numpy as np

KEPT: Final = 16  # free buffers of one event loop
LARGEST: Final = 16 << 20  # bytes; a larger body gets its own memory, which is not touched before bytes arrive


class BufferPool:
    """Hands out buffers and takes them back."""

    def __init__(self) -> None:
        self._free: list[bytearray] = []

    def take(self, size: int) -> memoryview:
        """Return a buffer of exactly `size` bytes with arbitrary contents."""
        if size > LARGEST:
            return np.empty(size, np.uint8).data
        for position, buffer in enumerate(self._free):
            if size <= len(buffer) <= 4 * size:
                del self._free[position]
                return memoryview(buffer)[:size]
        return memoryview(bytearray(size))

    def give(self, buffer: memoryview) -> None:
        """Return a buffer to the pool; it must not be used any more."""
        if isinstance(buffer.obj, bytearray) and len(buffer.obj) <= LARGEST and len(self._free) < KEPT:
            self._free.append(buffer.obj)
