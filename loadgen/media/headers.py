"""Media headers: kind, type, size and frames of an image or a video, from its content alone; nothing is decoded.

A kind is told by the first bytes, never by a file name or a content type.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from loadgen.media import images, iso_media, matroska
from loadgen.media.mp4_atoms import Readable

SIDE_LIMIT: Final = 0xFFFF  # pixels and media that a record can hold
SIZED: Final = frozenset(  # types whose whole files always tell their size here
    {"image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp", "video/mp4"}
)
_FRAME_LIMIT: Final = 0xFFFFFFFF
_MAGIC_BYTES: Final = 12  # enough for the kinds below, brands and document types aside


class MediaInfo(NamedTuple):
    """What a record keeps of media: their number, and size (pixels), frames and format of the first; 0 if unknown.

    `file_format` is an index of `collector.records.record.FORMATS`.
    """

    outputs: int = 0
    width: int = 0
    height: int = 0
    frames: int = 0
    file_format: int = 0


NO_MEDIA_INFO: Final = MediaInfo()


@dataclass(frozen=True, slots=True)
class Media:
    """Kind (`image` or `video`), MIME type, size in pixels and frames; None if unknown.

    `animated`: an image of several frames, which serves as a video too (GIF, WebP, AVIF, HEIC).
    """

    kind: str
    mime: str
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    animated: bool = False

    def serves_as(self, kind: str) -> bool:
        """Whether it may answer a request for an `image` or a `video`."""
        return self.kind == kind or (self.animated and kind == "video")


def describe(data: Readable) -> Media | None:
    """Identify an image or a video, or the start of one; None for anything else. Reads a few slices only."""
    head = bytes(data[:_MAGIC_BYTES])
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return _media("image", "image/png", images.png_size(data))
    if head.startswith(b"\xff\xd8\xff"):
        return _media("image", "image/jpeg", images.jpeg_size(data))
    if head.startswith(b"RIFF"):
        return _riff(data, head[8:])
    if head.startswith((b"GIF87a", b"GIF89a")):
        return _media("image", "image/gif", images.gif_size(data), animated=images.is_animated_gif(data))
    if head.startswith(b"BM") and images.is_bmp(data):
        return _media("image", "image/bmp", images.bmp_size(data))
    if head.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL ")):
        return Media("image", "image/jxl")
    if head.startswith(matroska.MAGIC):
        return _media("video", matroska.mime(data), matroska.size(data))
    return _iso_media(data)


def _riff(data: Readable, form: bytes) -> Media | None:
    if form == b"WEBP":
        return _media("image", "image/webp", images.webp_size(data), animated=images.is_animated_webp(data))
    if form == b"AVI ":
        return _media("video", "video/x-msvideo", images.avi_size(data), images.avi_frames(data))
    return None


def _iso_media(data: Readable) -> Media | None:
    """Identify MP4 and its relatives, still ones included."""
    mime = iso_media.mime(data)
    if mime.startswith("image/"):
        return _media("image", mime, iso_media.image_size(data), animated=iso_media.is_sequence(data))
    return _media("video", mime, *iso_media.video_size_and_frames(data)) if mime else None


def _media(
    kind: str, mime: str, size: tuple[int, int] | None, frames: int | None = None, *, animated: bool = False
) -> Media:
    width, height = size or (0, 0)
    frames = min(frames, _FRAME_LIMIT) if frames else None
    if width <= 0 or height <= 0:
        return Media(kind, mime, frames=frames, animated=animated)
    return Media(kind, mime, width, height, frames, animated)
