"""A JPEG of given dimensions, padded to a given size in bytes (ITU-T T.81, baseline, one component)."""

import struct
from typing import Final

_MOST_PADDING: Final = 0xFFFF - 2  # bytes of one comment
_LUMINANCE: Final = bytes((0,)) + bytes([1] * 64)  # quantisation table 0
_ONE_CODE: Final = bytes((1,)) + bytes(16)  # one code of one bit, for symbol 0: "no difference", "end of block"


def jpeg(width: int, height: int, size: int = 0) -> bytes:
    """Return a grey JPEG, padded to at least `size` bytes by comments, which decoders skip.

    Each block of 8 x 8 pixels is two zero bits: no difference from the block before it, and end of block.
    """
    blocks = -(-width // 8) * -(-height // 8)
    scan = bytearray(-(-2 * blocks // 8))
    if spare := 2 * blocks % 8:
        scan[-1] = 0xFF >> spare  # the last byte is filled up by ones
    head = (
        b"\xff\xd8" + _segment(0xDB, _LUMINANCE) + _segment(0xC0, struct.pack(">BHHB3B", 8, height, width, 1, 1, 17, 0))
    )
    head += _segment(0xC4, b"\x00" + _ONE_CODE) + _segment(0xC4, b"\x10" + _ONE_CODE)
    body = _segment(0xDA, b"\x01\x01\x00\x00\x3f\x00") + bytes(scan) + b"\xff\xd9"
    return head + _padding(size - len(head) - len(body)) + body


def _padding(missing: int) -> bytes:
    comments = []
    while missing > 0:
        comments.append(_segment(0xFE, bytes(min(max(missing - 4, 0), _MOST_PADDING))))
        missing -= len(comments[-1])
    return b"".join(comments)


def _segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data
