import io
from pathlib import Path

import pytest
from PIL import Image

from loadgen.datasets.input_images import InputImage, read_image, synthetic_png
from loadgen.errors import InputError, UsageError


@pytest.mark.parametrize(
    ("file_format", "mime"),
    [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp"), ("GIF", "image/gif"), ("BMP", "image/bmp")],
)
def test_an_image_is_read_as_it_stands_whatever_its_name(tmp_path: Path, file_format: str, mime: str) -> None:
    path = tmp_path / "picture.bin"
    Image.new("RGB", (12, 34)).save(path, file_format)
    assert read_image(path) == InputImage("picture.bin", path.read_bytes(), mime, 12, 34)


def test_an_image_in_memory_is_read_too() -> None:
    data = synthetic_png(8, 6, 0)
    assert read_image(data) == InputImage("image.png", data, "image/png", 8, 6)


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"\x89PNG\r\n\x1a\n", b"\0\0\0\x18ftypisom" + bytes(40), b"GIF89a" + bytes(40)]
)
def test_a_file_that_is_no_readable_image_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"broken\.png: not a readable image"):
        read_image(path)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_an_image_that_is_cut_short_is_named(tmp_path: Path, file_format: str) -> None:
    path = tmp_path / "half.img"
    Image.effect_noise((60, 60), 50).convert("RGB").save(path, file_format)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"half\.img: a broken image"):
        read_image(path)


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.png: cannot read this image: No such file"):
        read_image(tmp_path / "gone.png")


@pytest.mark.parametrize(("width", "height", "number"), [(1, 1, 0), (300, 2, 1), (17, 255, 7)])
def test_a_synthetic_image_is_a_whole_png_and_always_the_same(width: int, height: int, number: int) -> None:
    data = synthetic_png(width, height, number)
    image = Image.open(io.BytesIO(data))
    image.load()  # checks every CRC and the pixels
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (width, height))
    synthetic_png.cache_clear()
    assert synthetic_png(width, height, number) == data


@pytest.mark.parametrize(("width", "height"), [(0, 5), (5, -1), (1_000_000, 5)])
def test_a_synthetic_image_of_an_impossible_size_is_refused(width: int, height: int) -> None:
    with pytest.raises(UsageError, match=r"not within 1\.\.16384"):
        synthetic_png(width, height, 0)
