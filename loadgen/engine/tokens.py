"""Tokens: (request index, scheduled time). A batch is one message: the bytes of an array of TOKEN."""

from collections import deque
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

TOKEN: Final = np.dtype([("index", "<i8"), ("scheduled_ns", "<i8")])
CHUNK: Final = 1024  # tokens are unpacked this many at a time, so that a long queue stays packed


class TokenQueue:
    """Tokens waiting for their time, in schedule order."""

    def __init__(self) -> None:
        self._batches: deque[NDArray[Any]] = deque()
        self._unpacked: deque[tuple[int, int]] = deque()
        self._length = self.max_length = 0  # `max_length`: the longest this queue has been

    def extend(self, message: bytes) -> None:
        """Add a batch as received."""
        batch = np.frombuffer(message, TOKEN)
        self._batches.append(batch)
        self._length += len(batch)
        self.max_length = max(self.max_length, self._length)

    def head(self) -> tuple[int, int] | None:
        """Return the next (index, scheduled_ns), or None."""
        if not self._unpacked and not self._refill():
            return None
        return self._unpacked[0]

    def pop(self) -> tuple[int, int]:
        """Remove and return the head, which must exist."""
        self._length -= 1
        return self._unpacked.popleft()

    def clear(self) -> None:
        """Drop all tokens: the run was stopped."""
        self._unpacked.clear()
        self._batches.clear()
        self._length = 0

    def _refill(self) -> bool:
        if not self._batches:
            return False
        batch = self._batches.popleft()
        self._unpacked.extend(batch[:CHUNK].tolist())
        if len(batch) > CHUNK:
            self._batches.appendleft(batch[CHUNK:])
        return True
