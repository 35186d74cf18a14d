"""Arrays that several processes see: memory without a name, handed on as an open descriptor.

Nothing has to be cleaned up: the memory goes when the last process that holds it does, however that one ends.
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
    """An open descriptor that is closed with the last reference to it; in a message it stands as its number."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.close = weakref.finalize(self, os.close, number)

    def fileno(self) -> int:
        """The number, as a child that inherits it sees it too."""
        return self._number


def nameless_file() -> Descriptor:
    """Open an empty file that has no name, in memory where the system can."""
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
    """Make new shared memory of `count` zeros of `dtype`; at least one item."""
    memory = nameless_file()
    os.ftruncate(memory.fileno(), max(count, 1) * np.dtype(dtype).itemsize)
    return memory


def rows(descriptor: int, dtype: DTypeLike, at_once: int = 1 << 30) -> NDArray[Any]:
    """Read the rows that a file holds, whoever wrote them; one cut short by a death is left out.

    `at_once` is what one system call reads: Linux gives 2 GiB at most, which is 24 million records.
    """
    found = np.empty(os.fstat(descriptor).st_size // np.dtype(dtype).itemsize, dtype)
    content = found.view(np.uint8).data
    place = 0
    while place < len(content) and (count := os.preadv(descriptor, [content[place : place + at_once]], place)):
        place += count
    return found[: place // found.itemsize]


def attach(descriptor: int, dtype: DTypeLike, *, writable: bool = False) -> NDArray[Any]:
    """View shared memory as a one-dimensional array; the view stays valid after the descriptor is closed."""
    access = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
    memory = mmap.mmap(descriptor, 0, flags=mmap.MAP_SHARED | _POPULATE, prot=access)
    return np.frombuffer(memory, dtype, len(memory) // np.dtype(dtype).itemsize)
