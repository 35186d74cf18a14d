"""A small valid MP4 (ISO/IEC 14496-12, -14): one video track whose frames are all the same PNG."""

import struct

from loadgen.simulator.engine.png import png

_FPS = 16
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_PNG_OBJECT = 0x6D  # object type "PNG" in the registry of MPEG-4 systems
_OVERHEAD = 8  # size and type of a box


def mp4(width: int, height: int, frames: int, size: int = 0) -> bytes:
    """Return a video of `frames` frames at 16 per second, padded to at least `size` bytes.

    Every sample is a chunk of its own, and all chunks point at the same bytes, so that a long video is hardly larger
    than a short one. The padding is a free box of at least 8 bytes, so the result may exceed `size` by up to 7.
    """
    picture = png(width, height)
    head = _box(b"ftyp", b"isom", struct.pack(">I", 0x200), b"isomiso2mp41")
    first = len(head) + len(_moov(width, height, frames, len(picture), 0)) + _OVERHEAD
    video = head + _moov(width, height, frames, len(picture), first) + _box(b"mdat", picture)
    missing = size - len(video)
    return video + (_box(b"free", bytes(max(missing - _OVERHEAD, 0))) if missing > 0 else b"")


def _box(kind: bytes, *parts: bytes) -> bytes:
    return struct.pack(">I", 8 + sum(map(len, parts))) + kind + b"".join(parts)


def _full(kind: bytes, flags: int, *parts: bytes) -> bytes:
    """Return a full box: one that starts with a version (0) and flags."""
    return _box(kind, struct.pack(">I", flags), *parts)


def _moov(width: int, height: int, frames: int, sample_bytes: int, offset: int) -> bytes:
    times = struct.pack(">4I", 0, 0, _FPS, frames)  # created, modified, ticks a second, duration
    movie = _full(b"mvhd", 0, times, struct.pack(">IHH8x", 0x10000, 0x100, 0), _MATRIX, bytes(24), struct.pack(">I", 2))
    place = struct.pack(">5I8x4H", 0, 0, 1, 0, frames, 0, 0, 0, 0)
    track = _full(b"tkhd", 3, place, _MATRIX, struct.pack(">2I", width << 16, height << 16))
    handler = _full(b"hdlr", 0, bytes(4), b"vide", bytes(12), b"video\0")
    samples = _samples(width, height, frames, sample_bytes, offset)
    source = _box(b"dinf", _full(b"dref", 0, struct.pack(">I", 1), _full(b"url ", 1)))
    content = _box(b"minf", _full(b"vmhd", 1, bytes(8)), source, samples)
    medium = _box(b"mdia", _full(b"mdhd", 0, times, struct.pack(">HH", 0x55C4, 0)), handler, content)
    return _box(b"moov", movie, _box(b"trak", track, medium))


def _samples(width: int, height: int, frames: int, sample_bytes: int, offset: int) -> bytes:
    """Return the sample table: `frames` chunks of one sample of `sample_bytes`, all at `offset` of the file."""
    size = struct.pack(">HH", width, height)
    look = struct.pack(">IIIH32xHh", 0x480000, 0x480000, 0, 1, 24, -1)  # 72 dpi, one frame a sample, 24 bits
    entry = _box(b"mp4v", bytes(6), struct.pack(">H16x", 1), size, look, _full(b"esds", 0, _decoder(sample_bytes)))
    return _box(
        b"stbl",
        _full(b"stsd", 0, struct.pack(">I", 1), entry),
        _full(b"stts", 0, struct.pack(">3I", 1, frames, 1)),
        _full(b"stsc", 0, struct.pack(">4I", 1, 1, 1, 1)),
        _full(b"stsz", 0, struct.pack(">2I", sample_bytes, frames)),
        _full(b"stco", 0, struct.pack(">I", frames), struct.pack(">I", offset) * frames),
    )


def _decoder(sample_bytes: int) -> bytes:
    """Return the elementary stream descriptor (ISO/IEC 14496-1) that says each sample is a PNG."""
    bits = min(sample_bytes * 8 * _FPS, 0xFFFFFFFF)
    visual_and_buffer = 0x11 << 24 | min(sample_bytes, 0xFFFFFF)
    config = struct.pack(">B3I", _PNG_OBJECT, visual_and_buffer, bits, bits)  # at most and on average bits a second
    inner = struct.pack(">HB", 1, 0) + _descriptor(4, config) + _descriptor(6, b"\x02")
    return _descriptor(3, inner)


def _descriptor(tag: int, data: bytes) -> bytes:
    return bytes((tag, len(data))) + data
