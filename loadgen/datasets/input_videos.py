"""Input videos of a request: read from files and checked."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from loadgen.errors import InputError
from loadgen.media.headers import describe


@dataclass(frozen=True, slots=True)
class InputVideo:
    """An input video as it is sent: file name, bytes, MIME type."""

    name: str
    data: bytes
    mime: str


@lru_cache(maxsize=8)  # datasets repeat their videos
def read_video(source: Path) -> InputVideo:
    """Read a video of a sample; InputError if it is missing, or its content is no video."""
    try:
        data = source.read_bytes()
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise InputError(source, None, f"cannot read this video: {reason}") from None
    media = describe(data)
    if media is None or media.kind != "video":
        raise InputError(source, None, "not a readable video; give an MP4 file")
    return InputVideo(source.name, data, media.mime)
