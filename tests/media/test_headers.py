import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, features

from loadgen.media.headers import Media, describe
from loadgen.simulator.engine.mp4 import mp4


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


def ebml(identifier: int, content: bytes, *, size: bytes | None = None) -> bytes:
    """An element of Matroska, with a size of eight bytes."""
    length = (identifier.bit_length() + 7) // 8
    return identifier.to_bytes(length, "big") + (size or bytes([1]) + len(content).to_bytes(7, "big")) + content


def matroska(document: bytes, *tracks: bytes, size: bytes | None = None) -> bytes:
    head = b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82" + bytes([0x80 | len(document)]) + document
    head = head[:4] + bytes([0x80 | len(head) - 5]) + head[5:]
    return head + ebml(0x18538067, ebml(0xEC, bytes(9)) + ebml(0x1654AE6B, b"".join(tracks)), size=size)


def brands(*names: bytes) -> bytes:
    return box(b"ftyp", names[0] + bytes(4) + b"".join(names[1:]))


def extents(*sizes: tuple[int, int]) -> bytes:
    boxes = b"".join(box(b"ispe", bytes(4) + struct.pack(">II", *size)) for size in sizes)
    return box(b"meta", bytes(4) + box(b"iprp", box(b"ipco", box(b"hvcC", bytes(20)) + boxes)))


def avi(width: int, height: int, frames: int) -> bytes:
    header = struct.pack("<10I", 0, 0, 0, 0, frames, 0, 1, 0, width, height) + bytes(16)
    return b"RIFF\0\1\0\0AVI LIST\0\1\0\0hdrlavih" + struct.pack("<I", len(header)) + header


SOUND = ebml(0xAE, ebml(0xD7, b"\2") + ebml(0xE1, bytes(5)))
PICTURES = ebml(0xAE, ebml(0xD7, b"\1") + ebml(0xE0, ebml(0xB0, b"\x02\x80") + ebml(0xBA, b"\x01\xe0")))
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


@pytest.mark.parametrize(
    ("data", "media"),
    [
        (encoded("GIF", 31, 17), Media("image", "image/gif", 31, 17)),
        (encoded("GIF", 31, 17, loop=0), Media("image", "image/gif", 31, 17, animated=True)),
        (encoded("GIF", 31, 17, duration=40), Media("image", "image/gif", 31, 17, animated=True)),
        (encoded("BMP", 31, 17), Media("image", "image/bmp", 31, 17)),
        (b"BM" + bytes(12) + struct.pack("<Iii", 40, 31, -17) + bytes(28), Media("image", "image/bmp", 31, 17)),
        (b"BM" + bytes(12) + struct.pack("<IHHHH", 12, 31, 17, 1, 24), Media("image", "image/bmp", 31, 17)),
        (b"\xff\x0a" + bytes(40), Media("image", "image/jxl")),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(40), Media("image", "image/jxl")),
        (brands(b"avif", b"mif1", b"miaf") + extents((512, 512), (1000, 700)), Media("image", "image/avif", 1000, 700)),
        (brands(b"mif1", b"miaf", b"avif") + extents((9, 7)), Media("image", "image/avif", 9, 7)),
        (brands(b"avis", b"avif") + extents((9, 7)), Media("image", "image/avif", 9, 7, animated=True)),
        (brands(b"heic", b"mif1") + extents((9, 7)), Media("image", "image/heic", 9, 7)),
        (brands(b"mif1", b"heix") + extents((9, 7)), Media("image", "image/heic", 9, 7)),
        (brands(b"hevc", b"heic", b"mif1") + MOOV, Media("image", "image/heic", 640, 480, animated=True)),
        (brands(b"mif1", b"miaf") + extents(), Media("image", "image/heif")),
        (brands(b"isom", b"iso2", b"avc1", b"mp41") + MOOV, Media("video", "video/mp4", 640, 480)),
        (brands(b"M4V ", b"mp42") + MOOV, Media("video", "video/mp4", 640, 480)),
        (brands(b"iso5", b"dash") + MOOV, Media("video", "video/mp4", 640, 480)),
        (brands(b"qt  ") + MOOV, Media("video", "video/quicktime", 640, 480)),
        (brands(b"3gp5", b"isom") + MOOV, Media("video", "video/3gpp", 640, 480)),
        (MOOV, Media("video", "video/quicktime", 640, 480)),
        (box(b"wide", b"") + box(b"mdat", bytes(99)) + MOOV, Media("video", "video/quicktime", 640, 480)),
        (box(b"free", bytes(9)) + MOOV, Media("video", "video/quicktime", 640, 480)),
        (matroska(b"webm", PICTURES), Media("video", "video/webm", 640, 480)),
        (matroska(b"webm", SOUND, PICTURES, size=b"\x01" + b"\xff" * 7), Media("video", "video/webm", 640, 480)),
        (matroska(b"matroska", SOUND, PICTURES), Media("video", "video/x-matroska", 640, 480)),
        (matroska(b"webm", SOUND), Media("video", "video/webm")),
        (avi(640, 480, 7), Media("video", "video/x-msvideo", 640, 480, 7)),
        (mp4(64, 32, 5), Media("video", "video/mp4", 64, 32, 5)),
    ],
)
def test_kinds_that_share_a_container_are_told_apart(data: bytes, media: Media) -> None:
    assert describe(data) == media
    assert describe(memoryview(data)) == media
    assert Media.serves_as(media, "image") == (media.kind == "image")
    assert Media.serves_as(media, "video") == (media.kind == "video" or media.animated)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_an_avif_of_a_real_encoder_is_an_image() -> None:
    assert describe(encoded("AVIF", 301, 201)) == Media("image", "image/avif", 301, 201)


def test_an_animated_webp_says_so_in_its_flags() -> None:
    pictures = [Image.new("RGB", (41, 43), colour) for colour in ("red", "teal")]
    file = io.BytesIO()
    pictures[0].save(file, "WEBP", save_all=True, append_images=pictures[1:])
    assert describe(file.getvalue()) == Media("image", "image/webp", 41, 43, animated=True)


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


OTHERS = [
    encoded("GIF", 9, 9, loop=0),
    encoded("BMP", 9, 9),
    avi(9, 9, 9),
    matroska(b"webm", SOUND, PICTURES),
    brands(b"avif", b"mif1") + extents((9, 9)),
    mp4(8, 8, 3),
]
MAGIC = [
    b"",
    b"GIF89a\x10\0\x10\0\x80\0\0",
    b"BM" + bytes(12) + b"(\0\0\0",
    b"RIFF\0\0\0\0AVI LIST",
    b"RIFF\0\0\0\0WEBPVP8X",
    b"\x1a\x45\xdf\xa3",
    b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67",
    b"\0\0\0\x08moov",
    brands(b"avif", b"mif1"),
    brands(b"mif1"),
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


@given(
    st.sampled_from([encoded("PNG", 9, 9), encoded("JPEG", 9, 9), encoded("WEBP", 9, 9), FTYP + MOOV, *OTHERS]),
    st.data(),
)
def test_no_damaged_file_raises(whole: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[at] = data.draw(st.integers(0, 255))
    media = describe(damaged[: data.draw(st.integers(0, len(whole)))])
    assert media is None or media.kind in {"image", "video"}
