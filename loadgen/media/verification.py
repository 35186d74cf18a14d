"""Verification: whether an answer contains the requested medium.

`header` checks the first bytes (of an MP4 also its track headers), which takes microseconds whatever the body size.
`decode` decodes whole images by Pillow, and checks the whole structure of an MP4 without decoding its samples.
A size other than requested is the server's choice, and a failure only with `--verify-size near` or `exact`.
"""

import io
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from typing import Final

from collector.records.record import FORMATS
from loadgen.clock import SECOND_NS, now_ns
from loadgen.errors import UsageError
from loadgen.media import mp4
from loadgen.media.headers import NO_MEDIA_INFO, SIDE_LIMIT, SIZED, Media, MediaInfo, describe
from loadgen.media.mp4_atoms import Readable
from loadgen.options import VIDEO_TASKS

MODES: Final = ("none", "header", "decode")
SIZE_MODES: Final = ("any", "near", "exact")
_HEAD: Final = 30  # bytes that contain the size of a PNG or a WebP
_NEAR: Final = 64  # pixels; servers round sides to a multiple of 8 to 64
_MOST_PIXELS: Final = 1 << 28  # Pillow refuses images with more than twice as many
_SHOWN: Final = 16  # bytes of an unknown format, in the message
_NO_DECODER: Final = frozenset({"image/heic", "image/heif", "image/jxl"})  # in Pillow
_head: Final = lru_cache(maxsize=256)(describe)  # a run has few sizes, so most heads are equal
_FORMAT_NUMBERS: Final = {mime: number for number, mime in enumerate(FORMATS)}


def check(mode: str, task: str) -> None:
    """Raise UsageError if Pillow is needed and not installed."""
    if mode == "decode" and task not in VIDEO_TASKS and find_spec("PIL") is None:
        fix = "pip install 'diffusion-loadgen[decode]', or use --verify header"
        raise UsageError(f"--verify decode: needs Pillow to decode images; {fix}")


class HeaderVerifier:
    """Checks the headers of media, and measures what that costs. `size_mode` is one of SIZE_MODES."""

    def __init__(self, task: str, size_mode: str = "any") -> None:
        self._kind = "video" if task in VIDEO_TASKS else "image"
        self._size_mode = size_mode
        self.start()

    def start(self) -> None:
        """Reset the counts: warm-ups are verified too, but are not part of the run."""
        self._count = self._spent_ns = self._longest_ns = 0

    def examine(self, media: Sequence[Readable], size: tuple[int, int]) -> tuple[str, MediaInfo]:
        """Return the fault of the first medium that is not as requested, "" if none, and what the media are.

        `size` in pixels; (0, 0) allows any.
        """
        began_ns = now_ns()
        fault, first = "", None
        for medium in media:
            fault, found = self._examine_one(medium, size)
            first = first or found
            if fault:
                break
        spent_ns = now_ns() - began_ns
        self._count += 1
        self._spent_ns += spent_ns
        self._longest_ns = max(self._longest_ns, spent_ns)
        return fault, _info(first, len(media)) if first else NO_MEDIA_INFO

    def _examine_one(self, medium: Readable, size: tuple[int, int]) -> tuple[str, Media | None]:
        try:
            found = _head(bytes(medium[:_HEAD]))
            if found is None or found.width is None or found.mime == "image/gif":  # its animation is told further on
                found = describe(medium)
        except ValueError as error:
            return f"invalid base64: {error}", None
        if found is None:
            shown = bytes(medium[:_SHOWN])
            return f"no {self._kind} of a known format, but {shown!r} (--verify none accepts anything)", None
        if not found.serves_as(self._kind):
            return f"{found.mime} where {self._kind} was requested", found
        if found.width is None and found.mime in SIZED:
            return f"{found.mime} with an unreadable size{_requested(size)}: it is incomplete or damaged", found
        if self._size_mode == "any" or size == (0, 0) or (found.width, found.height) == size:
            return "", found
        return self._size_fault(found, size), found

    def _size_fault(self, found: Media, size: tuple[int, int]) -> str:
        if found.width is None or found.height is None:
            return f"{found.mime} with an unreadable size{_requested(size)}"
        if self._size_mode == "near" and all(map(is_near, (found.width, found.height), size)):
            return ""
        return f"{found.mime} with {found.width}x{found.height}{_requested(size)} (--verify-size {self._size_mode})"

    def figures(self) -> dict[str, float]:
        """The number of verified answers, and the seconds taken: in total, and the longest."""
        spent_s, longest_s = self._spent_ns / SECOND_NS, self._longest_ns / SECOND_NS
        return {"verified": self._count, "verify_s": spent_s, "longest_verify_s": longest_s}


def is_near(side: int, requested: int) -> bool:
    """Whether a side is between the requested one rounded down, and up, to a multiple of 64 pixels."""
    return requested // _NEAR * _NEAR <= side <= -(-requested // _NEAR) * _NEAR


def _requested(size: tuple[int, int]) -> str:
    return "" if size == (0, 0) else f" where {size[0]}x{size[1]} was requested"


def _info(first: Media, outputs: int) -> MediaInfo:
    width, height = min(first.width or 0, SIDE_LIMIT), min(first.height or 0, SIDE_LIMIT)
    return MediaInfo(min(outputs, SIDE_LIMIT), width, height, first.frames or 0, _FORMAT_NUMBERS.get(first.mime, 0))


def decode_fault(medium: bytes) -> str:
    """Decode a whole medium; return its fault, "" if none or if nothing here can decode its format."""
    found = describe(medium)
    if found is not None and found.kind == "video":
        return mp4.fault(medium) if found.mime in mp4.MIMES else ""
    from PIL import Image, features  # an optional dependency: see `check`

    if found is not None and (found.mime in _NO_DECODER or (found.mime == "image/avif" and not features.check("avif"))):
        return ""
    Image.MAX_IMAGE_PIXELS = _MOST_PIXELS
    try:
        with Image.open(io.BytesIO(medium)) as image:
            image.load()
    except Exception as error:  # Pillow's plugins raise all sorts of errors on broken data
        return f"cannot be decoded: {type(error).__name__}: {error}"
    return ""
