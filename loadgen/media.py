"""Media: what the first bytes of an image or a video say about it. Headers only: nothing is decoded."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MAX_STEPS: Final = 4096  # segments or boxes looked at, so that hostile bytes cost no more than honest ones
_JPEG_SIZES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOFn; the three others are DHT, JPG, DAC
_JPEG_BARE: Final = frozenset({0x01, *range(0xD0, 0xDA)})  # TEM, RSTn, SOI, EOI: markers without a length


@dataclass(frozen=True, slots=True)
class Media:
    """Kind (`image` or `video`), mime type, and size in pixels where the bytes at hand say it."""

    kind: str
    mime: str
    width: int | None = None
    height: int | None = None


def describe(data: bytes | bytearray | memoryview) -> Media | None:
    """Return what PNG, JPEG, WebP or MP4 bytes (or a beginning of them) show; None for anything else."""
    head = bytes(data[:12])
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return _media("image", "image/png", _png_size(data))
    if head.startswith(b"\xff\xd8\xff"):
        return _media("image", "image/jpeg", _jpeg_size(data))
    if head.startswith(b"RIFF") and head.endswith(b"WEBP"):
        return _media("image", "image/webp", _webp_size(data))
    if head[4:8] == b"ftyp":
        return _media("video", "video/mp4", _mp4_size(data))
    return None


def _media(kind: str, mime: str, size: tuple[int, int] | None) -> Media:
    width, height = size or (0, 0)
    return Media(kind, mime, width, height) if width > 0 and height > 0 else Media(kind, mime)


def _png_size(data: bytes | bytearray | memoryview) -> tuple[int, int] | None:
    """IHDR is always the first chunk (PNG specification, 5.6)."""
    if len(data) < 24 or bytes(data[12:16]) != b"IHDR":
        return None
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _jpeg_size(data: bytes | bytearray | memoryview) -> tuple[int, int] | None:
    """Walk the marker segments (ITU-T T.81, annex B) to the first frame header."""
    at = 2
    for _ in range(MAX_STEPS):
        if at + 9 > len(data) or data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker in _JPEG_SIZES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in _JPEG_BARE:
            at += 2
        else:
            at += 2 + int(struct.unpack_from(">H", data, at + 2)[0])
    return None


def _webp_size(data: bytes | bytearray | memoryview) -> tuple[int, int] | None:
    """Read the first chunk: lossy (RFC 6386, 9.1), lossless or extended (RFC 9649, 3.4 and 2.7)."""
    if len(data) < 30:
        return None
    chunk = bytes(data[12:30])
    if chunk[:4] == b"VP8 " and chunk[11:14] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", chunk, 14)
        return width & 0x3FFF, height & 0x3FFF
    if chunk[:4] == b"VP8L" and chunk[8] == 0x2F:
        bits = int.from_bytes(chunk[9:13], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk[:4] == b"VP8X":
        return int.from_bytes(chunk[12:15], "little") + 1, int.from_bytes(chunk[15:18], "little") + 1
    return None


def _mp4_size(data: bytes | bytearray | memoryview) -> tuple[int, int] | None:
    """Return the size in the first track header (ISO/IEC 14496-12, 8.3.2) that has one: sound tracks say 0 x 0."""
    for movie in _boxes(data, b"moov", 0, len(data)):
        for track in _boxes(data, b"trak", *movie):
            for start, end in _boxes(data, b"tkhd", *track):
                if end - start < 84:
                    continue
                width, height = struct.unpack_from(">II", data, end - 8)  # the last two fields, 16.16 fixed point
                if width and height:
                    return width >> 16, height >> 16
    return None


def _boxes(data: bytes | bytearray | memoryview, wanted: bytes, at: int, end: int) -> Iterator[tuple[int, int]]:
    """Start and end of the contents of each wanted box between two offsets; a box cut short ends the walk."""
    for _ in range(MAX_STEPS):
        if at + 8 > end:
            return
        size, name = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if size == 1 and at + 16 <= end:  # the size is in 64 bits behind the name
            size, start = int(struct.unpack_from(">Q", data, at + 8)[0]), at + 16
        stop = end if size == 0 else at + size
        if stop < start or stop > end:
            return
        if name == wanted:
            yield start, stop
        at = stop
