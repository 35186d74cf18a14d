"""MP4 validation without a decoder: the whole box structure, but not the samples."""

import struct
from typing import Final

from loadgen.media.mp4_atoms import Box, Readable, Walk

_CONTAINERS: Final = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"mvex", b"moof", b"traf"})
MIMES: Final = frozenset({"video/mp4", "video/quicktime", "video/3gpp"})  # of the files that `fault` can validate
_NEEDED: Final = (b"moov", b"trak", b"tkhd", b"mdia", b"minf", b"stbl", b"stsd", b"mdat")
_OFFSETS: Final = {b"stco": ">I", b"co64": ">Q"}
_MOST: Final = 1_000_000  # boxes that are visited in one file


class _FaultError(Exception):
    """The file is invalid; the message says why."""


def fault(data: Readable) -> str:
    """Return the fault of an MP4, "" if valid: boxes of wrong size, missing boxes, chunk offsets beyond the file.

    Every box is visited, down to the sample tables (ISO/IEC 14496-12, 8); the samples are not decoded.
    """
    names: set[bytes] = set()
    try:
        _validate(Walk(data, _MOST), Box(b"file", 0, len(data)), names)
    except _FaultError as found:
        return str(found)
    except RecursionError:
        return "an MP4 with boxes nested too deeply"
    missing = [name.decode() for name in _NEEDED if name not in names]
    return f"an MP4 without {', '.join(missing)}" if missing else ""


def _validate(walk: Walk, outer: Box, names: set[bytes]) -> None:
    at = outer.start
    for box in walk.inside(outer.start, outer.stop):
        names.add(box.name)
        at = box.stop
        if box.name in _CONTAINERS:
            _validate(walk, box, names)
        elif box.name in _OFFSETS:
            _check_offsets(walk.data, box)
    if at != outer.stop:
        raise _FaultError(f"the boxes of {outer.name.decode()} do not add up: byte {at} begins none that fits")


def _check_offsets(data: Readable, box: Box) -> None:
    """Check that the chunk offsets (8.7.5) lie in the file."""
    table = bytes(data[box.start : box.stop])
    entries = struct.iter_unpack(_OFFSETS[box.name], table[8 : 8 + _table_size(table, box)])
    if any(offset >= len(data) for (offset,) in entries):
        raise _FaultError(f"{box.name.decode()} points behind the end of the file, which is cut short")


def _table_size(table: bytes, box: Box) -> int:
    """Size of the entries in bytes; they must fit in the box."""
    size = int.from_bytes(table[4:8], "big") * struct.calcsize(_OFFSETS[box.name])
    if len(table) < 8 + size:
        raise _FaultError(f"{box.name.decode()} has fewer entries than it says")
    return size
