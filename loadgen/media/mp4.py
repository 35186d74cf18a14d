"""MP4 files, looked through as far as it goes without a decoder: the whole structure, not the pictures."""

import struct
from typing import Final

from loadgen.media.mp4_atoms import Box, Readable, Walk

_CONTAINERS: Final = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"mvex", b"moof", b"traf"})
_NEEDED: Final = (b"ftyp", b"moov", b"trak", b"tkhd", b"mdia", b"minf", b"stbl", b"stsd", b"mdat")
_OFFSETS: Final = {b"stco": ">I", b"co64": ">Q"}
_MOST: Final = 1_000_000  # boxes of a file


class _FaultError(Exception):
    """What is wrong with a file."""


def fault(data: Readable) -> str:
    """Say what is wrong with an MP4, "" if nothing: boxes that do not add up, are missing, or point out of the file.

    Every box is visited, down to the sample tables (ISO/IEC 14496-12, 8); what the samples hold is not decoded.
    """
    names: set[bytes] = set()
    try:
        _visit(Walk(data, _MOST), Box(b"file", 0, len(data)), names)
    except _FaultError as found:
        return str(found)
    except RecursionError:
        return "an MP4 whose boxes are nested without end"
    missing = [name.decode() for name in _NEEDED if name not in names]
    return f"an MP4 without {', '.join(missing)}" if missing else ""


def _visit(walk: Walk, outer: Box, names: set[bytes]) -> None:
    at = outer.start
    for box in walk.inside(outer.start, outer.stop):
        names.add(box.name)
        at = box.stop
        if box.name in _CONTAINERS:
            _visit(walk, box, names)
        elif box.name in _OFFSETS:
            _check_offsets(walk.data, box)
    if at != outer.stop:
        raise _FaultError(f"the boxes of {outer.name.decode()} do not add up: byte {at} begins none that fits")


def _check_offsets(data: Readable, box: Box) -> None:
    """Chunk offsets (8.7.5) must lie in the file."""
    table = bytes(data[box.start : box.stop])
    entries = struct.iter_unpack(_OFFSETS[box.name], table[8 : 8 + _size(table, box)])
    if any(offset >= len(data) for (offset,) in entries):
        raise _FaultError(f"{box.name.decode()} points behind the end of the file, which is cut short")


def _size(table: bytes, box: Box) -> int:
    """Bytes of the entries, which the box must have room for."""
    size = int.from_bytes(table[4:8], "big") * struct.calcsize(_OFFSETS[box.name])
    if len(table) < 8 + size:
        raise _FaultError(f"{box.name.decode()} has fewer entries than it says")
    return size
