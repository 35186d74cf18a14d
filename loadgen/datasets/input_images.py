"""Input images of a request: read from files and checked, or synthetic."""

import base64
import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from loadgen.errors import InputError, UsageError
from loadgen.media.headers import SIZED, describe

SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp"})
MAX_SIDE: Final = 16384  # pixels of a synthetic image


@dataclass(frozen=True, slots=True)
class InputImage:
    """An input image as it is sent: file name, bytes, MIME type, size in pixels (0 if unknown)."""

    name: str
    data: bytes
    mime: str
    width: int
    height: int


@lru_cache(maxsize=32)  # datasets repeat their images; cleared once the plan is made
def read_image(source: Path | bytes) -> InputImage:
    """Read an image of a sample, told by its content; InputError if it is missing, not an image, or damaged."""
    if isinstance(source, bytes):
        name, data = "", source
    else:
        try:
            name, data = source.name, source.read_bytes()
        except (OSError, ValueError) as error:
            raise InputError(source, None, f"cannot read this image: {_reason(error)}") from None
    media = describe(data)
    if media is None or media.kind != "image" or (media.width is None and media.mime in SIZED):
        raise InputError(_shown(source), None, "not a readable image; give a JPEG, PNG or WebP file")
    if is_cut_short(data, media.mime):
        raise InputError(_shown(source), None, "a broken image, cut short; copy or save it again")
    name = name or f"image.{media.mime.rpartition('/')[2]}"
    return InputImage(name, data, media.mime, media.width or 0, media.height or 0)


def is_cut_short(data: bytes, mime: str) -> bool:
    """Whether the end of an image is missing; servers refuse such, or draw the rest grey."""
    if mime == "image/png":
        return b"IEND" not in data[-4096:]  # the last chunk; a few bytes after it do no harm
    if mime == "image/jpeg":
        return data.rfind(b"\xff\xd9") < 0  # EOI
    return mime == "image/webp" and len(data) < 8 + int.from_bytes(data[4:8], "little")  # the size of the RIFF chunk


def _shown(source: Path | bytes) -> Path | str:
    return "an input image" if isinstance(source, bytes) else source


def data_url(source: Path | bytes) -> str:
    """Return an image of a sample as a data URL; raises as `read_image` does."""
    image = read_image(source)
    return f"data:{image.mime};base64,{base64.b64encode(image.data).decode()}"


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


@lru_cache(maxsize=64)
def synthetic_png(width: int, height: int, number: int) -> bytes:
    """Return a PNG of the given size in pixels, a colour ramp that depends on `number`; always the same bytes.

    UsageError if a side is not within 1..16384.
    """
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise UsageError(f"--width/--height: a synthetic input image of {width}x{height} is not within 1..{MAX_SIDE}")
    ramp = bytes((x * 255 // width + 67 * number * (channel + 1)) % 256 for x in range(width) for channel in range(3))
    packer = zlib.compressobj(level=1)
    packed = b"".join(packer.compress(b"\0" + ramp) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits a channel, RGB, not interlaced
    chunks = (_chunk(b"IHDR", header), _chunk(b"IDAT", packed), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    """Frame a PNG chunk: length, name, content, CRC (PNG specification, 5.3)."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
