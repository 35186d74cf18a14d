"""MP4 atoms, which ISO/IEC 14496-12 (4.2) calls boxes: iterates over them by their headers only."""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol

MAX_STEPS: Final = 4096  # boxes read in one file, which bounds the cost of malicious ones


class Readable(Protocol):
    """Bytes that can be sliced, whether in memory or decoded on demand."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> bytes | bytearray | memoryview: ...


class Box(NamedTuple):
    """A box: its four-character type, and the offsets of its contents."""

    name: bytes
    start: int
    stop: int


class Walk:
    """Iterates over the boxes of one file; reads at most `limit` of them, over all levels."""

    def __init__(self, data: Readable, limit: int = MAX_STEPS) -> None:
        self.data, self.remaining = data, limit

    def inside(self, at: int, end: int) -> Iterator[Box]:
        """The boxes between two offsets; a truncated one ends the iteration."""
        while at + 8 <= end and self.remaining > 0:
            self.remaining -= 1
            size, name = struct.unpack(">I4s", self.data[at : at + 8])
            start = at + 8
            if size == 1 and at + 16 <= end:  # a 64-bit size follows the type
                size, start = int.from_bytes(self.data[at + 8 : at + 16], "big"), at + 16
            stop = end if size == 0 else at + size
            if stop < start or stop > end:
                return
            yield Box(name, start, stop)
            at = stop

    def called(self, name: bytes, at: int, end: int) -> Iterator[Box]:
        """The boxes of one type between two offsets."""
        return (box for box in self.inside(at, end) if box.name == name)
