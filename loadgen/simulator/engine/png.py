"""A PNG of given dimensions, padded to a given size in bytes (W3C PNG specification, section 5)."""

import struct
import zlib

_OVERHEAD = 12  # length, type and CRC of a chunk


def png(width: int, height: int, size: int = 0) -> bytes:
    """Return a black one-bit PNG, padded to at least `size` bytes.

    The padding is an ancillary private chunk of at least 12 bytes, which decoders skip; the result may exceed `size` by
    up to 11.
    """
    row = bytes(1 + (width + 7) // 8)  # filter type 0, then eight pixels a byte
    head = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    tail = _chunk(b"IDAT", zlib.compress(row * height)) + _chunk(b"IEND", b"")
    missing = size - len(head) - len(tail)
    filler = _chunk(b"fiLl", bytes(max(missing - _OVERHEAD, 0))) if missing > 0 else b""
    return head + filler + tail


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
