"""ISO base media files (ISO/IEC 14496-12): MP4, MOV, 3GP, and the still images with the same boxes, AVIF and HEIC."""

import struct
from collections.abc import Iterator
from typing import Final

from loadgen.media.mp4_atoms import Box, Readable, Walk

_BRANDS: Final = {
    **dict.fromkeys((b"avif", b"avis"), "image/avif"),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), "image/heic"),
    b"qt  ": "video/quicktime",
}
_GENERIC_STILLS: Final = frozenset({b"mif1", b"mif2", b"msf1", b"miaf"})  # say "an image" only, not in which coding
_SEQUENCES: Final = frozenset({b"avis", b"hevc", b"hevx", b"hevm", b"hevs", b"msf1"})  # (ISO/IEC 23008-12, 10)
_OLD_MOVIE: Final = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})  # first atoms before `ftyp` was
_MOST_BRANDS: Final = 32

Size = tuple[int, int]


def mime(data: Readable) -> str:
    """The MIME type by the brands, the main one first; "" if it is no such file."""
    head = bytes(data[:12])
    name = head[4:8]
    if name in _OLD_MOVIE and _is_old_movie(data, head):
        return "video/quicktime"
    if name != b"ftyp":
        return ""
    brands = _brands(data)
    if brands[0] in _BRANDS:
        return _BRANDS[brands[0]]
    if brands[0] in _GENERIC_STILLS:
        return next((_BRANDS[brand] for brand in brands if brand in _BRANDS), "image/heif")
    return "video/3gpp" if brands[0].startswith((b"3gp", b"3g2")) else "video/mp4"


def _is_old_movie(data: Readable, head: bytes) -> bool:
    """Whether a file without `ftyp` begins with an atom that fits into it, so that text is no movie."""
    size = int.from_bytes(head[:4], "big")
    return size in (0, 1) or 8 <= size <= max(len(data), 1 << 24)


def is_sequence(data: Readable) -> bool:
    """Whether the main brand says that a still kind holds several images."""
    return bytes(data[8:12]) in _SEQUENCES


def _brands(data: Readable) -> list[bytes]:
    """The main brand, then the compatible ones; the minor version stands between them."""
    size = min(int.from_bytes(bytes(data[:4]), "big"), 16 + 4 * _MOST_BRANDS)
    rest = bytes(data[16:size])
    return [bytes(data[8:12]), *(rest[at : at + 4] for at in range(0, len(rest), 4))]


def image_size(data: Readable) -> Size | None:
    """The largest `ispe` (ISO/IEC 23008-12, 6.5.3): tiles and thumbnails have smaller ones. A sequence: its track."""
    walk = Walk(data)
    known = [size for box in _image_extents(walk) if (size := _extents(data, box))]
    return max(known, key=lambda size: size[0] * size[1]) if known else video_size_and_frames(data)[0]


def _image_extents(walk: Walk) -> Iterator[Box]:
    for meta in walk.called(b"meta", 0, len(walk.data)):
        for properties in walk.called(b"iprp", meta.start + 4, meta.stop):
            for container in walk.called(b"ipco", properties.start, properties.stop):
                yield from walk.called(b"ispe", container.start, container.stop)


def _extents(data: Readable, box: Box) -> Size | None:
    values = bytes(data[box.start + 4 : box.start + 12])
    if len(values) < 8:
        return None
    width, height = struct.unpack(">II", values)
    return width, height


def video_size_and_frames(data: Readable) -> tuple[Size | None, int | None]:
    """Size and samples of the first track with a size (14496-12, 8.3.2); audio tracks have 0 x 0.

    Frames are None for a fragmented file, whose samples are counted elsewhere.
    """
    walk = Walk(data)
    for movie in walk.called(b"moov", 0, len(data)):
        for track in walk.called(b"trak", movie.start, movie.stop):
            if size := _track_size(walk, track):
                return size, _samples(walk, track)
    return None, None


def _track_size(walk: Walk, track: Box) -> Size | None:
    for header in walk.called(b"tkhd", track.start, track.stop):
        if header.stop - header.start >= 84:
            width, height = struct.unpack(">II", walk.data[header.stop - 8 : header.stop])  # 16.16 fixed point
            if width and height:
                return width >> 16, height >> 16
    return None


def _samples(walk: Walk, track: Box) -> int | None:
    """The number of samples by the sample size table (8.7.3)."""
    place = track
    for name in (b"mdia", b"minf", b"stbl", b"stsz"):
        found = next(walk.called(name, place.start, place.stop), None)
        if found is None:
            return None
        place = found
    return int.from_bytes(bytes(walk.data[place.start + 8 : place.start + 12]), "big") or None
