"""The custom dataset: JSON lines, one object per request, with the keys of the vLLM-Omni benchmark script."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import orjson

from loadgen.datasets import row_fields
from loadgen.datasets.row_fields import Row
from loadgen.datasets.sample import Sample
from loadgen.errors import InputError, UsageError

KEYS: Final = (
    *("prompt", "width", "height", "num_inference_steps", "num_frames", "fps", "seed", "slo_ms"),
    *(*row_fields.IMAGES, *row_fields.VIDEOS),
)  # all others go into the request unchanged


def samples(path: Path, *, task: str, count: int | None) -> tuple[Sample, ...]:
    """Read the first `count` rows (None: all) of a file; blank lines are skipped.

    Paths in a row are relative to the file, else to the current folder. InputError names file and line of the first
    unusable row.
    """
    if not path.is_file():
        raise UsageError(f"--dataset-path {path}: no such file; --dataset custom needs one with a JSON object per line")
    found: list[Sample] = []
    for number, line in islice(lines(path), count):
        try:
            found.append(_sample(parse(line), path.parent, task))
        except ValueError as error:
            raise InputError(path, number, str(error)) from None
    if not found:
        raise InputError(path, None, 'no row in it; give one JSON object per line, such as {"prompt": "a cat"}')
    return tuple(found)


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Number and content of each line that is not blank."""
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            line = (raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw).strip()
            if line:
                yield number, line


def parse(line: bytes) -> Row:
    """Return the object of one line without its nulls; ValueError says what else the line is."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ValueError(f'not JSON ({error}); give one object per line, such as {{"prompt": "a cat"}}') from None
    if not isinstance(row, dict):
        raise ValueError('not a JSON object; give one object per line, such as {"prompt": "a cat"}')
    return {key: value for key, value in row.items() if value is not None}


def _sample(row: Row, folder: Path, task: str) -> Sample:
    if "prompt" not in row:
        raise ValueError("no prompt, which every row of --dataset custom needs")
    return Sample(
        prompt=row_fields.text("prompt", row.pop("prompt")),
        images=row_fields.images(row, folder, task),
        videos=row_fields.videos(row, folder, task),
        width=row_fields.whole(row, "width"),
        height=row_fields.whole(row, "height"),
        num_frames=row_fields.whole(row, "num_frames"),
        num_inference_steps=row_fields.whole(row, "num_inference_steps"),
        fps=row_fields.frame_rate(row),
        seed=row_fields.seed(row),
        slo_ms=row_fields.number(row, "slo_ms", positive=True),
        extra=row,
    )
