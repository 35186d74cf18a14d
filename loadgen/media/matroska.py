"""Matroska and WebM: type and size by the EBML elements at the start of a file (RFC 8794, RFC 9559)."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from loadgen.media.mp4_atoms import MAX_STEPS, Readable

MAGIC: Final = b"\x1a\x45\xdf\xa3"  # the EBML header
_DOCUMENT_TYPE: Final = 0x4282
_PATH: Final = (0x18538067, 0x1654AE6B)  # Segment, Tracks
_TRACK, _VIDEO, _WIDTH, _HEIGHT = 0xAE, 0xE0, 0xB0, 0xBA
_HEAD_BYTES: Final = 64  # the EBML header of usual writers ends before that


class _Element(NamedTuple):
    identifier: int
    start: int
    stop: int


def mime(data: Readable) -> str:
    """`video/webm` if the document type says so, else `video/x-matroska`."""
    head = bytes(data[:_HEAD_BYTES])
    return "video/webm" if _DOCUMENT_TYPE.to_bytes(2, "big") + b"\x84webm" in head else "video/x-matroska"


def size(data: Readable) -> tuple[int, int] | None:
    """Width and height in pixels of the first video track; None if the tracks are not within the data."""
    start, stop = 0, len(data)
    for identifier in _PATH:
        found = next((each for each in _elements(data, start, stop) if each.identifier == identifier), None)
        if found is None:
            return None
        start, stop = found.start, found.stop
    for track in _elements(data, start, stop):
        if track.identifier == _TRACK and (sides := _video_size(data, track)):
            return sides
    return None


def _video_size(data: Readable, track: _Element) -> tuple[int, int] | None:
    for video in _elements(data, track.start, track.stop):
        if video.identifier == _VIDEO:
            sides = {each.identifier: each for each in _elements(data, video.start, video.stop)}
            if _WIDTH in sides and _HEIGHT in sides:
                return _unsigned(data, sides[_WIDTH]), _unsigned(data, sides[_HEIGHT])
    return None


def _unsigned(data: Readable, element: _Element) -> int:
    return int.from_bytes(bytes(data[element.start : min(element.stop, element.start + 8)]), "big")


def _elements(data: Readable, at: int, end: int) -> Iterator[_Element]:
    """The elements between two offsets. One of unknown size, as live writers make, lasts to the end."""
    for _ in range(MAX_STEPS):
        head = bytes(data[at : min(at + 12, end)])
        id_length = _vint_length(head, 4)
        size_length = _vint_length(head[id_length:], 8) if id_length else 0
        if not size_length:
            return
        start = at + id_length + size_length
        value = int.from_bytes(head[id_length : id_length + size_length], "big") & (1 << 7 * size_length) - 1
        stop = end if value == (1 << 7 * size_length) - 1 else min(start + value, end)
        yield _Element(int.from_bytes(head[:id_length], "big"), start, stop)
        at = stop


def _vint_length(head: bytes, limit: int) -> int:
    """The length of a variable-size integer by its first byte (RFC 8794, 4); 0 if it is not whole or not one."""
    length = 9 - head[0].bit_length() if head and head[0] else 0
    return length if length <= min(limit, len(head)) else 0
