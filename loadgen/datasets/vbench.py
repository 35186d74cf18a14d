"""The VBench dataset: a list of prompts, or for image tasks a folder of images with captions."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import orjson

from loadgen.datasets.hidden_files import is_hidden
from loadgen.datasets.input_images import SUFFIXES
from loadgen.datasets.prompt_list import prompt_list
from loadgen.datasets.sample import Sample
from loadgen.errors import InputError, UsageError

INFO: Final = "i2v-bench-info.json"
PROMPTS: Final = "subject_consistency.txt"
_PROMPTS_AT: Final = (PROMPTS, f"prompts_per_dimension/{PROMPTS}", f"prompts/prompts_per_dimension/{PROMPTS}")
_INFO_AT: Final = (INFO, f"data/{INFO}", f"vbench2_beta_i2v/data/{INFO}")
_IMAGES_IN: Final = frozenset({"origin", "crop"})  # folders beside the list of captions


def prompts(path: Path, count: int | None) -> tuple[Sample, ...]:
    """Read the first `count` prompts (None: all) of a file of prompts, or of the one in a VBench folder.

    Blank lines are skipped. The captions of a VBench image set are prompts too.
    """
    file = _prompt_file(path) if path.is_dir() else path
    if not file.is_file():
        raise UsageError(f"--dataset-path {path}: no such file; give a text file with one prompt per line")
    rows = (caption for _, caption in _entries(file)) if file.name == INFO else prompt_list(file)
    found = tuple(Sample(prompt) for prompt in islice(rows, count))
    if not found:
        raise InputError(file, None, "no prompt in it; give one prompt per line")
    return found


def _prompt_file(folder: Path) -> Path:
    """The prompts of a VBench folder, else the captions of its images, else its only text file."""
    for name in _PROMPTS_AT:
        if (folder / name).is_file():
            return folder / name
    if info := _info(folder):
        return info
    texts = [each for each in sorted(folder.glob("*.txt")) if each.is_file() and not each.name.startswith(".")]
    if len(texts) == 1:
        return texts[0]
    raise UsageError(f"--dataset-path {folder}: no such file; give a text file with one prompt per line, not a folder")


def images(path: Path, count: int | None, task: str) -> tuple[Sample, ...]:
    """Return the first `count` images (None: all) of a folder with their prompts.

    The folder is VBench's (`path` is its root, `data`, `data/origin`, a folder of `data/crop`, or the list of
    captions), or holds plain jpg, jpeg, png or webp files whose stems are the prompts. Hidden files are skipped.
    """
    if path.is_file() and path.name != INFO:
        raise UsageError(
            f"--dataset-path {path}: a file; task {task} needs a folder of images, or --dataset custom or trace, whose"
            " rows name images"
        )
    if not path.exists():
        raise UsageError(f"--dataset-path {path}: no such folder; task {task} needs a folder of images")
    info = _info(path)
    pairs = _captioned(info, _image_folder(path, info)) if info else _plain(path)
    found = tuple(Sample(prompt, images=(image,)) for image, prompt in islice(pairs, count))
    if not found:
        raise UsageError(f"--dataset-path {path}: no images; add jpg, jpeg, png or webp files, or {INFO}")
    return found


def _info(path: Path) -> Path | None:
    """The list of captions that belongs to any path of a VBench image set."""
    if path.is_file():
        return path
    inside = [path / name for name in _INFO_AT]
    above = [parent / INFO for parent in list(path.absolute().parents)[:2] if _is_image_folder(path, parent)]
    return next((place for place in (*inside, *above) if place.is_file()), None)


def _is_image_folder(path: Path, parent: Path) -> bool:
    """Whether `path` is `origin`, `crop` or `crop/16-9` (and the like) in the folder of the captions."""
    return path.absolute().relative_to(parent).parts[0] in _IMAGES_IN


def _image_folder(path: Path, info: Path) -> Path:
    """`path` itself if it holds the images, else the originals."""
    inside = path.is_dir() and path.absolute().is_relative_to(info.parent.absolute())
    parts = path.absolute().relative_to(info.parent.absolute()).parts if inside else ()
    return path if parts and parts != ("crop",) else info.parent / "origin"


def _plain(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES and not is_hidden(path.relative_to(folder)) and path.is_file():
            yield path, path.stem


def _captioned(info: Path, folder: Path) -> Iterator[tuple[Path, str]]:
    """Image and caption of each entry; InputError names the entry (from 1) whose image is not in the folder."""
    origin = folder.resolve()
    for number, (name, caption) in enumerate(_entries(info), 1):
        path = origin / name
        if not path.resolve().is_relative_to(origin) or not path.is_file():
            raise InputError(info, None, f"entry {number}: no image {name!r} in {origin}")
        yield path, caption


def _entries(info: Path) -> Iterator[tuple[str, str]]:
    """File name and caption of each entry; InputError names the entry (from 1) that lacks one."""
    try:
        entries = orjson.loads(info.read_bytes())
    except orjson.JSONDecodeError as error:
        raise InputError(info, None, f"not JSON ({error}); download it again") from None
    if not isinstance(entries, list):
        raise InputError(info, None, "not a list of objects with file_name and caption; download it again")
    for number, entry in enumerate(entries, 1):
        name, caption = (entry.get("file_name"), entry.get("caption")) if isinstance(entry, dict) else (None, None)
        if not isinstance(name, str) or not isinstance(caption, str):
            raise InputError(info, None, f"entry {number} has no file_name and caption of text; download it again")
        yield name, caption
