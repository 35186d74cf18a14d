"""Arrays in anonymous shared memory, which processes pass on as an open descriptor.

Nothing has to be cleaned up: the memory is freed when the last process that holds it ends, however that happens.
"""

import mmap
import os
import tempfile
import weakref
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_POPULATE = getattr(mmap, "MAP_POPULATE", 0)  # no page faults later, on the timed path


class Descriptor:
    """An open descriptor that is closed with the last reference to it; in a message it is sent as its number."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.close = weakref.finalize(self, os.close, number)

    def fileno(self) -> int:
        """The number, which is the same in a child that inherits it."""
        return self._number


def anonymous_file() -> Descriptor:
    """Open an empty file without a name, in memory if the system can."""
    if hasattr(os, "memfd_create"):
        return Descriptor(os.memfd_create("loadgen"))
    with tempfile.TemporaryFile() as file:
        return Descriptor(os.dup(file.fileno()))


def share(array: NDArray[Any]) -> Descriptor:
    """Copy `array` into new shared memory."""
    memory = allocate(array.size, array.dtype)
    attach(memory.fileno(), array.dtype, writable=True)[: array.size] = array.ravel()
    return memory


def allocate(count: int, dtype: DTypeLike) -> Descriptor:
    """Allocate shared memory of `count` zeros of `dtype`; at least one item."""
    memory = anonymous_file()
    os.ftruncate(memory.fileno(), max(count, 1) * np.dtype(dtype).itemsize)
    return memory


def rows(descriptor: int, dtype: DTypeLike, at_once: int = 1 << 30) -> NDArray[Any]:
    """Read all complete rows of a file.

    `at_once` is how many bytes one system call reads: Linux reads 2 GiB at most, which is 24 million records.
    """
    found = np.empty(os.fstat(descriptor).st_size // np.dtype(dtype).itemsize, dtype)
    content = found.view(np.uint8).data
    place = 0
    while place < len(content) and (count := os.preadv(descriptor, [content[place : place + at_once]], place)):
        place += count
    return found[: place // found.itemsize]


def attach(descriptor: int, dtype: DTypeLike, *, writable: bool = False) -> NDArray[Any]:
    """Map shared memory as a one-dimensional array; the array stays valid after the descriptor is closed."""
    access = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
    memory = mmap.mmap(descriptor, 0, flags=mmap.MAP_SHARED | _POPULATE, prot=access)
    return np.frombuffer(memory, dtype, len(memory) // np.dtype(dtype).itemsize)
