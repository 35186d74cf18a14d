import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from loadgen.media.headers import Media, describe


def encoded(file_format: str, width: int, height: int, **how: object) -> bytes:
    file = io.BytesIO()
    Image.new("RGBA" if file_format != "JPEG" else "RGB", (width, height), "teal").save(file, file_format, **how)
    return file.getvalue()


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


def large_box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4sQ", 1, name, 16 + len(content)) + content


def track(width: int, height: int) -> bytes:
    return box(b"trak", box(b"tkhd", bytes(76) + struct.pack(">II", width << 16, height << 16)))


FTYP = box(b"ftyp", b"isom\0\0\2\0isomiso2mp41")
MOOV = box(b"moov", box(b"mvhd", bytes(100)) + track(0, 0) + track(640, 480))


@pytest.mark.parametrize(
    ("data", "media"),
    [
        (encoded("PNG", 31, 17), Media("image", "image/png", 31, 17)),
        (encoded("JPEG", 300, 200), Media("image", "image/jpeg", 300, 200)),
        (encoded("JPEG", 300, 200, progressive=True), Media("image", "image/jpeg", 300, 200)),
        (encoded("JPEG", 5, 9, icc_profile=bytes(100_000)), Media("image", "image/jpeg", 5, 9)),
        (encoded("WEBP", 41, 43, lossless=True), Media("image", "image/webp", 41, 43)),
        (encoded("WEBP", 41, 43, exif=b"Exif\0\0", lossless=True), Media("image", "image/webp", 41, 43)),
        (FTYP + MOOV, Media("video", "video/mp4", 640, 480)),
        (FTYP + box(b"mdat", bytes(99)) + MOOV, Media("video", "video/mp4", 640, 480)),
        (FTYP + large_box(b"mdat", bytes(99)) + MOOV, Media("video", "video/mp4", 640, 480)),
    ],
)
def test_kind_mime_and_size_are_read_from_whole_files(data: bytes, media: Media) -> None:
    assert describe(data) == media
    assert describe(memoryview(data)) == media
    assert describe(bytearray(data)) == media


def test_a_jpeg_with_its_huffman_table_before_the_frame_header_is_read() -> None:
    plain = encoded("JPEG", 300, 200)
    data = plain[:2] + b"\xff\xc4\x00\x0c" + bytes(10) + b"\xff" + plain[2:]  # and a fill byte
    assert describe(data) == Media("image", "image/jpeg", 300, 200)


def test_a_lossy_webp_is_read() -> None:
    file = io.BytesIO()
    Image.new("RGB", (1023, 7), "red").save(file, "WEBP", quality=50)
    assert file.getvalue()[12:16] == b"VP8 "
    assert describe(file.getvalue()) == Media("image", "image/webp", 1023, 7)


@pytest.mark.parametrize(
    ("data", "media"),
    [
        (encoded("PNG", 31, 17)[:20], Media("image", "image/png")),
        (encoded("JPEG", 30, 20)[:30], Media("image", "image/jpeg")),
        (encoded("WEBP", 41, 43)[:20], Media("image", "image/webp")),
        (FTYP + MOOV[:-1], Media("video", "video/mp4")),
        (FTYP, Media("video", "video/mp4")),
        (b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 0, 5), Media("image", "image/png")),
    ],
)
def test_a_file_that_is_cut_short_has_a_kind_but_no_size(data: bytes, media: Media) -> None:
    assert describe(data) == media


@pytest.mark.parametrize(
    "data", [b"", b"\x89PNG", b"<html>not an image</html>", b"{}" * 40, b"BM is no bitmap", b"RIFFxxxxWAVE"]
)
def test_anything_else_is_no_media(data: bytes) -> None:
    assert describe(data) is None


MAGIC = [
    b"",
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"RIFF\0\0\0\0WEBP",
    b"RIFF\0\0\0\0WEBPVP8 ",
    FTYP,
    FTYP + MOOV[:20],
]


@given(st.sampled_from(MAGIC), st.binary(max_size=200))
def test_no_bytes_whatever_raise(magic: bytes, rest: bytes) -> None:
    media = describe(magic + rest)
    assert media is None or (media.width is None) == (media.height is None)


@given(st.sampled_from([encoded("PNG", 9, 9), encoded("JPEG", 9, 9), encoded("WEBP", 9, 9), FTYP + MOOV]), st.data())
def test_no_damaged_file_raises(whole: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[at] = data.draw(st.integers(0, 255))
    media = describe(damaged[: data.draw(st.integers(0, len(whole)))])
    assert media is None or media.kind in {"image", "video"}
