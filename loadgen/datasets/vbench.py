"""The VBench dataset: a list of prompts, or for image tasks a folder of images with captions."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import orjson

from loadgen.datasets.input_images import SUFFIXES
from loadgen.datasets.sample import Sample
from loadgen.errors import InputError, UsageError

INFO = "i2v-bench-info.json"


def prompts(path: Path, count: int | None) -> tuple[Sample, ...]:
    """Read the first `count` prompts (None: all) of a file with one per line; blank lines are skipped."""
    if not path.is_file():
        raise UsageError(f"--dataset-path {path}: no such file; give a text file with one prompt per line")
    found: list[Sample] = []
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            try:
                prompt = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            except UnicodeDecodeError:
                raise InputError(path, number, "not UTF-8 text; save the prompts as UTF-8") from None
            if prompt and (count is None or len(found) < count):
                found.append(Sample(prompt))
    if not found:
        raise InputError(path, None, "no prompt in it; give one prompt per line")
    return tuple(found)


def images(folder: Path, count: int | None) -> tuple[Sample, ...]:
    """Return the first `count` images (None: all) of a folder with their prompts.

    The folder is VBench's (`data/i2v-bench-info.json` and `data/origin/`, `data/` may be left out), or holds plain
    jpg, jpeg, png or webp files whose stems are the prompts.
    """
    if not folder.is_dir():
        raise UsageError(f"--dataset-path {folder}: no such folder; image tasks need a folder of images")
    info = next((place for place in (folder / "data" / INFO, folder / INFO) if place.is_file()), None)
    pairs = _captioned(info) if info else _plain(folder)
    found = tuple(Sample(prompt, images=(path,)) for path, prompt in islice(pairs, count))
    if not found:
        raise UsageError(f"--dataset-path {folder}: no images; add jpg, jpeg, png or webp files, or {INFO}")
    return found


def _plain(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            yield path, path.stem


def _captioned(info: Path) -> Iterator[tuple[Path, str]]:
    """Image and caption of each entry; InputError names the entry (from 1) whose image is not in `origin/`."""
    try:
        entries = orjson.loads(info.read_bytes())
    except orjson.JSONDecodeError as error:
        raise InputError(info, None, f"not JSON ({error}); download it again") from None
    if not isinstance(entries, list):
        raise InputError(info, None, "not a list of objects with file_name and caption; download it again")
    origin = (info.parent / "origin").resolve()
    for number, entry in enumerate(entries, 1):
        name, caption = (entry.get("file_name"), entry.get("caption")) if isinstance(entry, dict) else (None, None)
        if not isinstance(name, str) or not isinstance(caption, str):
            raise InputError(info, None, f"entry {number} has no file_name and caption of text; download it again")
        path = origin / name
        if not path.resolve().is_relative_to(origin) or not path.is_file():
            raise InputError(info, None, f"entry {number}: no image {name!r} in {origin}")
        yield path, caption
