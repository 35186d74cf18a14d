"""The ring buffer: shared memory through which one process passes bodies to another, without a system call or lock.

A body is contiguous and follows its header (plan index, length). Each end counts its bytes in its own cell.
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
_GAP: Final = -1  # index of the padding at the end of the buffer
_FILLED, _CONSUMED = 0, 1


class RingBuffer:
    """One end of a ring buffer: the sender calls `put`, the answer writer `take`."""

    def __init__(self, descriptors: Mapping[str, int]) -> None:
        self._memory = shared_memory.attach(descriptors["memory"], np.uint8, writable=True).data
        self._cells = shared_memory.attach(descriptors["cells"], np.int64, writable=True).data
        self._barrier_lock = threading.Lock()  # taking it is a memory barrier: see Budget

    @staticmethod
    def create(size: int = BYTES) -> dict[str, Descriptor]:
        """Allocate an empty ring of `size` bytes, a multiple of 16; sent in a message it is what `RingBuffer` takes."""
        return {"memory": shared_memory.allocate(size, np.uint8), "cells": shared_memory.allocate(2, np.int64)}

    def put(self, index: int, body: bytes | memoryview) -> bool:
        """Copy the body of request `index` in; return False if it does not fit.

        In an empty ring, a body with its header of up to half the size always fits.
        """
        filled, size = self._cells[_FILLED], len(self._memory)
        need = _HEAD.size + _padded(len(body))
        gap = left if (left := size - filled % size) < need else 0
        if filled + gap + need - self._cells[_CONSUMED] > size:
            return False
        if gap:
            _HEAD.pack_into(self._memory, filled % size, _GAP, gap - _HEAD.size)
            filled += gap
        at = filled % size
        _HEAD.pack_into(self._memory, at, index, len(body))
        self._memory[at + _HEAD.size : at + _HEAD.size + len(body)] = body
        with self._barrier_lock:
            self._cells[_FILLED] = filled + need
        return True

    def take(self) -> Iterator[tuple[int, memoryview]]:
        """Yield (index, body), oldest first; a body is valid until the next iteration."""
        for index, body, end in self._walk():
            if index != _GAP:
                yield index, body
            with self._barrier_lock:
                self._cells[_CONSUMED] = end

    def waiting(self) -> list[int]:
        """Plan indexes of the bodies in the buffer."""
        return [index for index, _, _ in self._walk() if index != _GAP]

    def _walk(self) -> Iterator[tuple[int, memoryview, int]]:
        consumed, size = self._cells[_CONSUMED], len(self._memory)
        while consumed < self._cells[_FILLED]:
            with self._barrier_lock:
                at = consumed % size
            index, length = _HEAD.unpack_from(self._memory, at)
            start = at + _HEAD.size
            consumed += _HEAD.size + _padded(length)
            yield index, self._memory[start : start + length], consumed


def _padded(length: int) -> int:
    """The length rounded up to whole headers, so that no header is split at the end."""
    return -(-length // _HEAD.size) * _HEAD.size
