"""Verification: whether an answer contains the requested medium.

`header` checks the first bytes (of an MP4 also its track headers), which takes microseconds whatever the body size.
`decode` decodes whole images by Pillow, and checks the whole structure of an MP4 without decoding its samples.
"""

import io
from collections.abc import Iterable
from functools import lru_cache
from importlib.util import find_spec
from typing import Final

from loadgen.clock import SECOND_NS, now_ns
from loadgen.errors import UsageError
from loadgen.media import mp4
from loadgen.media.headers import Media, describe
from loadgen.media.mp4_atoms import Readable
from loadgen.options import VIDEO_TASKS

MODES: Final = ("none", "header", "decode")
_HEAD: Final = 30  # bytes that contain the size of a PNG or a WebP
_MOST_PIXELS: Final = 1 << 28  # Pillow refuses images with more than twice as many
_SHOWN: Final = 16  # bytes of an unknown format, in the message
_head: Final = lru_cache(maxsize=256)(describe)  # a run has few sizes, so most heads are equal


def check(mode: str, task: str) -> None:
    """Raise UsageError if Pillow is needed and not installed."""
    if mode == "decode" and task not in VIDEO_TASKS and find_spec("PIL") is None:
        fix = "pip install 'diffusion-loadgen[decode]', or use --verify header"
        raise UsageError(f"--verify decode: needs Pillow to decode images; {fix}")


class HeaderVerifier:
    """Checks the headers of media, and measures what that costs."""

    def __init__(self, task: str) -> None:
        self._kind = "video" if task in VIDEO_TASKS else "image"
        self.start()

    def start(self) -> None:
        """Reset the counts: warm-ups are verified too, but are not part of the run."""
        self._count = self._spent_ns = self._longest_ns = 0

    def fault(self, media: Iterable[Readable], size: tuple[int, int]) -> str:
        """Return the fault of the first medium that is not as requested, "" if none; `size` (0, 0) allows any."""
        began_ns = now_ns()
        fault = next((fault for medium in media if (fault := _fault(medium, self._kind, size))), "")
        spent_ns = now_ns() - began_ns
        self._count += 1
        self._spent_ns += spent_ns
        self._longest_ns = max(self._longest_ns, spent_ns)
        return fault

    def signs(self) -> dict[str, float]:
        """The number of verified answers, and the seconds taken: in total, and the longest."""
        spent_s, longest_s = self._spent_ns / SECOND_NS, self._longest_ns / SECOND_NS
        return {"verified": self._count, "verify_s": spent_s, "longest_verify_s": longest_s}


def _fault(medium: Readable, kind: str, size: tuple[int, int]) -> str:
    try:
        found = _described(medium)
    except ValueError as error:
        return f"invalid base64: {error}"
    if found is None:
        return f"no PNG, JPEG, WebP or MP4, but {bytes(medium[:_SHOWN])!r} (--verify none accepts anything)"
    if found.kind != kind:
        return f"{found.mime} where {kind} was requested"
    if size == (0, 0) or (found.width, found.height) == size:
        return ""
    has = f"{found.width}x{found.height}" if found.width else "an unreadable size"
    return f"{found.mime} with {has} where {size[0]}x{size[1]} was requested"


def _described(medium: Readable) -> Media | None:
    found = _head(bytes(medium[:_HEAD]))
    return describe(medium) if found is not None and found.width is None else found


def decode_fault(medium: bytes) -> str:
    """Decode a whole medium; return its fault, "" if none."""
    found = describe(medium)
    if found is not None and found.kind == "video":
        return mp4.fault(medium)
    from PIL import Image  # an optional dependency: see `check`

    Image.MAX_IMAGE_PIXELS = _MOST_PIXELS
    try:
        with Image.open(io.BytesIO(medium)) as image:
            image.load()
    except Exception as error:  # Pillow's plugins raise all sorts of errors on broken data
        return f"cannot be decoded: {type(error).__name__}: {error}"
    return ""
