"""Sizes of still images, and of AVI, which shares the container of WebP: from the first bytes."""

import struct
from typing import Final

from loadgen.media.mp4_atoms import MAX_STEPS, Readable

_JPEG_SIZES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOFn; the three others are DHT, JPG, DAC
_JPEG_BARE: Final = frozenset({0x01, *range(0xD0, 0xDA)})  # TEM, RSTn, SOI, EOI, which have no length
_BMP_HEADERS: Final = frozenset({12, 40, 52, 56, 64, 108, 124})  # lengths of the information header
_WEBP_ANIMATION: Final = 0x02  # flag of an extended WebP
_GIF_LOOP: Final = (b"NETSCAPE2.0", b"ANIMEXTS1.0")  # extensions of animations

Size = tuple[int, int]


def png_size(data: Readable) -> Size | None:
    """Read IHDR, always the first chunk (PNG specification, 5.6)."""
    chunk = bytes(data[12:24])
    if len(chunk) < 12 or chunk[:4] != b"IHDR":
        return None
    width, height = struct.unpack(">II", chunk[4:])
    return width, height


def jpeg_size(data: Readable) -> Size | None:
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


def webp_size(data: Readable) -> Size | None:
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


def is_animated_webp(data: Readable) -> bool:
    """Whether an extended WebP has the animation flag (RFC 9649, 2.7)."""
    chunk = bytes(data[12:21])
    return len(chunk) == 9 and chunk.startswith(b"VP8X") and bool(chunk[8] & _WEBP_ANIMATION)


def gif_size(data: Readable) -> Size | None:
    """Read the logical screen descriptor (GIF89a specification, 18)."""
    sides = bytes(data[6:10])
    if len(sides) < 4:
        return None
    width, height = struct.unpack("<HH", sides)
    return width, height


def is_animated_gif(data: Readable) -> bool:
    """Whether a GIF loops or has a delay: walks the extensions before its first image (specification, 23 to 26)."""
    flags = bytes(data[10:11])
    at = 13 + (3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0)  # the global color table
    for _ in range(MAX_STEPS):
        block = bytes(data[at : at + 14])
        if len(block) < 14 or block[0] != 0x21:  # an extension
            return False
        if block[3:14] in _GIF_LOOP or (block[1] == 0xF9 and block[4:6] != b"\0\0"):
            return True
        at += 2
        while length := bytes(data[at : at + 1]).strip(b"\0"):
            at += 1 + length[0]
            if at >= len(data):
                return False
        at += 1
    return False


def is_bmp(data: Readable) -> bool:
    """Whether the length of the information header is a known one: two letters alone are too common."""
    return int.from_bytes(bytes(data[14:18]), "little") in _BMP_HEADERS


def bmp_size(data: Readable) -> Size | None:
    """Read the information header; a negative height means that the rows go down."""
    head = bytes(data[14:26])
    if len(head) < 12:
        return None
    width, height = struct.unpack_from("<HH" if head[0] == 12 else "<ii", head, 4)
    return width, abs(height)


def avi_size(data: Readable) -> Size | None:
    """Read the main header, which comes first (AVI RIFF file reference, AVIMAINHEADER)."""
    head = _avi_header(data)
    if head is None:
        return None
    width, height = struct.unpack_from("<II", head, 32)
    return width, height


def avi_frames(data: Readable) -> int | None:
    """Read the number of frames from the main header."""
    head = _avi_header(data)
    return None if head is None else int.from_bytes(head[16:20], "little")


def _avi_header(data: Readable) -> bytes | None:
    head = bytes(data[24:72])
    return head[8:] if len(head) == 48 and head.startswith(b"avih") else None
