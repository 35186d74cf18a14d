"""The ring: memory that one process fills with bodies and another empties, without a system call or a lock.

A body lies in one piece behind its head (plan index and length); both ends count bytes, each in a cell of its own.
"""

import struct
import threading
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from collector.records import shared_memory
from collector.records.shared_memory import Descriptor

BYTES: Final = 128 << 20  # of one ring
_HEAD: Final = struct.Struct("<qq")
_GAP: Final = -1  # index of what only fills the ring up to its end
_FILLED, _EMPTIED = 0, 1


class RingBuffer:
    """One end of a ring: `put` is for the sender, `take` for who empties it."""

    def __init__(self, descriptors: Mapping[str, int]) -> None:
        self._memory = shared_memory.attach(descriptors["memory"], np.uint8, writable=True).data
        self._cells = shared_memory.attach(descriptors["cells"], np.int64, writable=True).data
        self._fence = threading.Lock()  # taking it orders memory: see Budget

    @staticmethod
    def create(size: int = BYTES) -> dict[str, Descriptor]:
        """Make an empty ring of `size` bytes, a multiple of 16; in a message, it is what `RingBuffer` takes."""
        return {"memory": shared_memory.allocate(size, np.uint8), "cells": shared_memory.allocate(2, np.int64)}

    def put(self, index: int, body: bytes | memoryview) -> bool:
        """Copy the body of request `index` in; return False where there is no room for it.

        In an empty ring there always is for a body, its head included, of up to half the ring.
        """
        filled, size = self._cells[_FILLED], len(self._memory)
        need = _HEAD.size + _padded(len(body))
        gap = left if (left := size - filled % size) < need else 0
        if filled + gap + need - self._cells[_EMPTIED] > size:
            return False
        if gap:
            _HEAD.pack_into(self._memory, filled % size, _GAP, gap - _HEAD.size)
            filled += gap
        at = filled % size
        _HEAD.pack_into(self._memory, at, index, len(body))
        self._memory[at + _HEAD.size : at + _HEAD.size + len(body)] = body
        with self._fence:
            self._cells[_FILLED] = filled + need
        return True

    def take(self) -> Iterator[tuple[int, memoryview]]:
        """Yield what is in there, oldest first; a body is good until the next one is asked for."""
        for index, body, end in self._walk():
            if index != _GAP:
                yield index, body
            with self._fence:
                self._cells[_EMPTIED] = end

    def waiting(self) -> list[int]:
        """Plan indexes of the bodies that are still in there."""
        return [index for index, _, _ in self._walk() if index != _GAP]

    def _walk(self) -> Iterator[tuple[int, memoryview, int]]:
        emptied, size = self._cells[_EMPTIED], len(self._memory)
        while emptied < self._cells[_FILLED]:
            with self._fence:
                at = emptied % size
            index, length = _HEAD.unpack_from(self._memory, at)
            start = at + _HEAD.size
            emptied += _HEAD.size + _padded(length)
            yield index, self._memory[start : start + length], emptied


def _padded(length: int) -> int:
    """Bytes that a body takes, so that heads are never split."""
    return -(-length // _HEAD.size) * _HEAD.size
