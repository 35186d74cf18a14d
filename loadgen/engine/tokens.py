"""Tokens: what the scheduler emits. A batch of them is one message, the bytes of an array of TOKEN."""

from collections import deque
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

TOKEN: Final = np.dtype([("index", "<i8"), ("scheduled_ns", "<i8")])
CHUNK: Final = 1024  # tokens are unpacked this many at a time, so that a long queue stays packed


class TokenQueue:
    """Tokens that wait for their time, in schedule order."""

    def __init__(self) -> None:
        self._batches: deque[NDArray[Any]] = deque()
        self._near: deque[tuple[int, int]] = deque()
        self._length = self.most = 0  # `most`: the longest this queue has been

    def extend(self, message: bytes) -> None:
        """Add a batch as it came off the wire."""
        batch = np.frombuffer(message, TOKEN)
        self._batches.append(batch)
        self._length += len(batch)
        self.most = max(self.most, self._length)

    def head(self) -> tuple[int, int] | None:
        """Return the next (index, scheduled_ns), or None."""
        if not self._near and not self._refill():
            return None
        return self._near[0]

    def pop(self) -> tuple[int, int]:
        """Take the head, which must be there."""
        self._length -= 1
        return self._near.popleft()

    def clear(self) -> None:
        """Forget everything: the run was stopped."""
        self._near.clear()
        self._batches.clear()
        self._length = 0

    def _refill(self) -> bool:
        if not self._batches:
            return False
        batch = self._batches.popleft()
        self._near.extend(batch[:CHUNK].tolist())
        if len(batch) > CHUNK:
            self._batches.appendleft(batch[CHUNK:])
        return True
