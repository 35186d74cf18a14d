"""Media headers: type and size of an image or a video from its first bytes; nothing is decoded."""

import struct
from dataclasses import dataclass
from typing import Final, NamedTuple

from loadgen.media.mp4_atoms import MAX_STEPS, Readable, Walk

_JPEG_SIZES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOFn; the three others are DHT, JPG, DAC
_JPEG_BARE: Final = frozenset({0x01, *range(0xD0, 0xDA)})  # TEM, RSTn, SOI, EOI, which have no length


class MediaInfo(NamedTuple):
    """What a record keeps of media: their number, and size (pixels) and frames of the first; 0 if unknown."""

    outputs: int = 0
    width: int = 0
    height: int = 0
    frames: int = 0


NO_MEDIA_INFO: Final = MediaInfo()


@dataclass(frozen=True, slots=True)
class Media:
    """Kind (`image` or `video`), MIME type, and size in pixels, None if unknown."""

    kind: str
    mime: str
    width: int | None = None
    height: int | None = None


def describe(data: Readable) -> Media | None:
    """Identify PNG, JPEG, WebP or MP4 bytes, or the start of such; None for anything else. Reads a few slices only."""
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


def _png_size(data: Readable) -> tuple[int, int] | None:
    """Read IHDR, always the first chunk (PNG specification, 5.6)."""
    chunk = bytes(data[12:24])
    if len(chunk) < 12 or chunk[:4] != b"IHDR":
        return None
    width, height = struct.unpack(">II", chunk[4:])
    return width, height


def _jpeg_size(data: Readable) -> tuple[int, int] | None:
    """Walk the marker segments (ITU-T T.81, annex B) to the first frame header."""
    at = 2
    for _ in range(MAX_STEPS):
        head = bytes(data[at : at + 9])
        if len(head) < 9 or head[0] != 0xFF:
            return None
        marker = head[1]
        if marker in _JPEG_SIZES:
            height, width = struct.unpack(">HH", head[5:])
            return width, height
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in _JPEG_BARE:
            at += 2
        else:
            at += 2 + int.from_bytes(head[2:4], "big")
    return None


def _webp_size(data: Readable) -> tuple[int, int] | None:
    """Read the first chunk: lossy (RFC 6386, 9.1), lossless or extended (RFC 9649, 3.4 and 2.7)."""
    chunk = bytes(data[12:30])
    if len(chunk) < 18:
        return None
    if chunk[:4] == b"VP8 " and chunk[11:14] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", chunk, 14)
        return width & 0x3FFF, height & 0x3FFF
    if chunk[:4] == b"VP8L" and chunk[8] == 0x2F:
        bits = int.from_bytes(chunk[9:13], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk[:4] == b"VP8X":
        return int.from_bytes(chunk[12:15], "little") + 1, int.from_bytes(chunk[15:18], "little") + 1
    return None


def _mp4_size(data: Readable) -> tuple[int, int] | None:
    """Return the size in the first track header (ISO/IEC 14496-12, 8.3.2) with a size; audio tracks have 0 x 0."""
    walk = Walk(data)
    for movie in walk.called(b"moov", 0, len(data)):
        for track in walk.called(b"trak", movie.start, movie.stop):
            for header in walk.called(b"tkhd", track.start, track.stop):
                if header.stop - header.start < 84:
                    continue
                width, height = struct.unpack(">II", data[header.stop - 8 : header.stop])  # 16.16 fixed point
                if width and height:
                    return width >> 16, height >> 16
    return None
