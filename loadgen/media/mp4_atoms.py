"""Boxes: what an MP4 is made of (ISO/IEC 14496-12, 4.2), looked at by their heads only."""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol

MAX_STEPS: Final = 4096  # boxes that one walk looks at, so that hostile bytes cost no more than honest ones


class Readable(Protocol):
    """Bytes that can be asked for in slices, whether they lie there or are made only then."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> bytes | bytearray | memoryview: ...


class Box(NamedTuple):
    """A box: its four-letter name, and where its contents begin and end."""

    name: bytes
    start: int
    stop: int


class Walk:
    """A walk through the boxes of one file, over all levels `most` boxes long at most."""

    def __init__(self, data: Readable, most: int = MAX_STEPS) -> None:
        self.data, self.left = data, most

    def inside(self, at: int, end: int) -> Iterator[Box]:
        """Boxes one after the other between two offsets; one that is cut short ends the walk."""
        while at + 8 <= end and self.left > 0:
            self.left -= 1
            size, name = struct.unpack(">I4s", self.data[at : at + 8])
            start = at + 8
            if size == 1 and at + 16 <= end:  # the size is in 64 bits behind the name
                size, start = int.from_bytes(self.data[at + 8 : at + 16], "big"), at + 16
            stop = end if size == 0 else at + size
            if stop < start or stop > end:
                return
            yield Box(name, start, stop)
            at = stop

    def called(self, name: bytes, at: int, end: int) -> Iterator[Box]:
        """Those of them that have a name."""
        return (box for box in self.inside(at, end) if box.name == name)
