"""The fields of a dataset row: each function removes one from the row and checks it; ValueError says what is wrong."""

import math
import os
import sys
from pathlib import Path
from typing import Final

from loadgen.datasets.image_urls import fetch_image
from loadgen.options import IMAGE_INPUT_TASKS

LARGEST: Final = 2**31 - 1
SMALLEST_SEED: Final = -(2**63)  # what 64 bits hold, signed or not; JSON encoders take no more
LARGEST_SEED: Final = 2**64 - 1
IMAGES: Final = ("image_path", "image_paths", "image_url", "image_urls")
VIDEOS: Final = ("video_path", "video_paths", "video_url", "video_urls")
_NOT_JSON: Final = "has a value that JSON cannot hold; use numbers, text, lists and dicts with text keys"

Row = dict[str, object]


def whole(row: Row, key: str, least: int = 1, most: int = LARGEST) -> int | None:
    """Return a whole number from `least` to `most`; None if the row does not have it."""
    value = row.pop(key, None)
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        sign = "positive " if least > 0 else ""
        bound = "below 2^31" if most == LARGEST else "that fits 64 bits"
        raise ValueError(f"{key} {value!r:.40} is not a {sign}whole number {bound}")
    return value


def seed(row: Row) -> int | None:
    """Return the seed: a whole number from -2^63 to 2^64-1."""
    return whole(row, "seed", SMALLEST_SEED, LARGEST_SEED)


def frame_rate(row: Row) -> float | None:
    """Return `fps`, a positive number; a whole one is an int, so that it is sent without a decimal point."""
    value = number(row, "fps", positive=True)
    return int(value) if value is not None and value.is_integer() else value


def number(row: Row, key: str, *, positive: bool = False) -> float | None:
    """Return a finite number of 0 or more; None if the row does not have it."""
    value = row.pop(key, None)
    if value is None:
        return None
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 <= value <= sys.float_info.max
        or (positive and not value)
    ):
        raise ValueError(f"{key} {value!r:.40} is not a finite number {'above 0' if positive else 'of 0 or more'}")
    return float(value)


def text(key: str, value: object) -> str:
    """Return `value` if it is text; the two halves of an escaped surrogate pair become the one character they mean."""
    if not isinstance(value, str):
        raise ValueError(f"{key} {value!r:.40} is not text; put it in quotes")
    try:
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise ValueError(f"{key} {value!r:.40} holds half a character (an escape like \\ud800)") from None


def json_value(key: str, value: object) -> object:
    """Return a value that JSON can hold, with surrogate pairs joined in every text inside it."""
    match value:
        case str():
            return text(key, value)
        case list() | tuple():
            return [json_value(key, item) for item in value]
        case dict():
            return {_key(key, name): json_value(key, item) for name, item in value.items()}
        case None | bool():
            return value
        case int() if SMALLEST_SEED <= value <= LARGEST_SEED:
            return value
        case float() if math.isfinite(value):
            return value
    raise ValueError(f"{key}: {_NOT_JSON}")


def _key(key: str, name: object) -> str:
    if not isinstance(name, str):
        raise ValueError(f"{key}: {_NOT_JSON}")
    return text(key, name)


def images(row: Row, folder: Path, task: str) -> tuple[Path | bytes, ...]:
    """Return the input images, files before URLs (which are downloaded); none if `task` takes none."""
    paths, urls = _texts(row, *IMAGES[:2]), _texts(row, *IMAGES[2:])
    if task not in IMAGE_INPUT_TASKS:
        return ()
    if not paths and not urls:
        raise ValueError(f"no image_path, image_paths or image_urls, which task {task} needs")
    return (*(_file("image", name, folder) for name in paths), *map(fetch_image, urls))


def videos(row: Row, folder: Path, task: str) -> tuple[Path | str, ...]:
    """Return the input videos, files before URLs (which the server may fetch); none if `task` takes none."""
    paths, urls = _texts(row, *VIDEOS[:2]), _texts(row, *VIDEOS[2:])
    if task != "v2v":
        return ()
    if not paths and not urls:
        raise ValueError(f"no video_path or video_url, which task {task} needs")
    return (*(_file("video", name, folder) for name in paths), *urls)


def _texts(row: Row, *keys: str) -> list[str]:
    """The texts under all keys; each holds one text or a list of them."""
    found: list[str] = []
    for key in keys:
        value = row.pop(key, None)
        items = value if isinstance(value, list | tuple) else [] if value is None else [value]
        found += [text(key, item) for item in items]
    return found


def _file(what: str, name: str, folder: Path) -> Path:
    """Find a file relative to the folder of the dataset, else to the current one (as the upstream script does)."""
    for path in (folder / name, Path(name)):
        if os.path.isfile(path):  # noqa: PTH113  Path.is_file raises where this says False
            return path
    raise ValueError(f"no {what} {name!r} in {folder} or the current folder")
