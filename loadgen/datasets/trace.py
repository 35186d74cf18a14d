"""Traces: text files with one `Request(key=value, ...)` per line; values are Python literals."""

import ast
import difflib
import glob
import os
import warnings
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Final

from loadgen.datasets import row_fields
from loadgen.datasets.hidden_files import is_hidden
from loadgen.datasets.row_fields import Row
from loadgen.datasets.sample import Sample
from loadgen.errors import InputError, UsageError
from loadgen.options import IMAGE_INPUT_TASKS

KEYS: Final = (
    *("request_id", "timestamp", "width", "height", "num_frames", "prompt", "text", "negative_prompt"),
    *("num_inference_steps", "seed", "fps", "slo_ms", *row_fields.IMAGES, *row_fields.VIDEOS),
)


def find(dataset_path: str) -> tuple[Path, ...]:
    """Return the files of `--dataset-path`: a file, a folder (`**/*.txt`), a glob, or several separated by commas."""
    whole = os.path.exists(dataset_path)  # noqa: PTH110  Path.exists raises where this says False
    parts = [dataset_path] if whole else [part.strip() for part in dataset_path.split(",")]
    return tuple(path for part in parts for path in _find(part))


def _find(part: str) -> list[Path]:
    path = str(Path(part).expanduser())
    if os.path.isfile(path):  # noqa: PTH113  Path.is_file raises where this says False
        return [Path(path)]
    if os.path.isdir(path):  # noqa: PTH112
        found = sorted(name for name in Path(path).rglob("*.txt") if not is_hidden(name.relative_to(path)))
    else:
        found = [Path(name) for name in sorted(glob.glob(path, recursive=True))]  # noqa: PTH207  absolute globs too
    if files := [name for name in found if name.is_file() and "__MACOSX" not in name.parts]:
        return files
    raise UsageError(
        f"--dataset-path {part!r}: no such trace file, folder with *.txt files, or matching glob; name one"
    )


def samples(paths: Iterable[Path], *, task: str, count: int | None, ascending: bool) -> tuple[Sample, ...]:
    """Read the first `count` rows (None: all); `ascending` demands ascending timestamps.

    InputError names file and line of the first unusable row.
    """
    paths = tuple(paths)
    found: list[Sample] = []
    earlier_s = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "\d" in a prompt is a SyntaxWarning to ast
        for path, number, line in islice(_lines(paths), count):
            try:
                sample = _sample(parse(line), path.parent, task)
                earlier_s = _ascending(sample.timestamp_s, earlier_s) if ascending else 0.0
            except ValueError as error:
                raise InputError(path, number, str(error)) from None
            found.append(sample)
    if not found:
        raise InputError(", ".join(map(str, paths)), None, "empty trace; give one Request(key=value, ...) per line")
    return tuple(found)


def _ascending(timestamp_s: float | None, earlier_s: float) -> float:
    if timestamp_s is None:
        raise ValueError("no timestamp, which --arrival trace needs in every row")
    if timestamp_s < earlier_s:
        raise ValueError(
            f"timestamp {timestamp_s} is before the {earlier_s} of the previous row; sort the trace by timestamp"
        )
    return timestamp_s


def _lines(paths: Iterable[Path]) -> Iterator[tuple[Path, int, str]]:
    """File, number and text of each line, without blank lines and comments."""
    for path in paths:
        try:
            with path.open("rb") as file:
                for number, raw in enumerate(file, 1):
                    line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                    if line and not line.startswith("#"):
                        yield path, number, line
        except UnicodeDecodeError:
            raise InputError(path, number, "not UTF-8 text; save the trace as UTF-8") from None
        except OSError as error:
            raise InputError(path, None, f"cannot read this trace: {error.strerror}") from None


def parse(line: str) -> Row:
    """Return keys and values of one `Request(key=value, ...)`. Only literals are accepted; nothing is evaluated.

    ValueError says what else the line is.
    """
    try:
        call = ast.parse(line, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else type(error).__name__
        raise ValueError(f"does not parse ({reason}); write Request(key=value, ...) on one line") from None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.func.id != "Request" or call.args:
        raise ValueError("not of the form Request(key=value, ...)")
    row: Row = {}
    for keyword in call.keywords:
        if keyword.arg is None or keyword.arg in row:
            raise ValueError(f"key {keyword.arg} is given twice" if keyword.arg else "** is no key=value")
        row[keyword.arg] = _literal(keyword.arg, keyword.value)
    return row


def _literal(key: str, node: ast.expr) -> object:
    if isinstance(node, ast.Constant):
        return node.value
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, MemoryError, RecursionError):
        raise ValueError(f"{key} is not a literal; write a number, a quoted text or a list of them") from None


def _sample(row: Row, folder: Path, task: str) -> Sample:
    """Turn a row into a sample; other keys go into `extra`, and to the server unchanged."""
    row = {key: value for key, value in row.items() if value is not None}
    return Sample(
        images=row_fields.images(row, folder, task),
        videos=row_fields.videos(row, folder, task),
        prompt=_prompt(row, task),
        request_id=_request_id(row),
        timestamp_s=row_fields.number(row, "timestamp"),
        width=row_fields.whole(row, "width"),
        height=row_fields.whole(row, "height"),
        num_frames=row_fields.whole(row, "num_frames"),
        num_inference_steps=row_fields.whole(row, "num_inference_steps"),
        fps=row_fields.frame_rate(row),
        seed=row_fields.seed(row),
        slo_ms=row_fields.number(row, "slo_ms", positive=True),
        extra=_extra(row),
    )


def _prompt(row: Row, task: str) -> str:
    prompt, text = row.pop("prompt", None), row.pop("text", None)
    if prompt is not None and text is not None and prompt != text:
        raise ValueError("prompt and its alias text differ; give one of them")
    if prompt is None and text is None:
        if task not in IMAGE_INPUT_TASKS:
            raise ValueError(f"no prompt, which task {task} needs")
        return ""
    return row_fields.text("prompt", text if prompt is None else prompt)


def _request_id(row: Row) -> str | None:
    value = row.pop("request_id", None)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return None if value is None else str(value)
    return row_fields.text("request_id", value)


def _extra(row: Row) -> Row:
    for key in row:
        if key != "negative_prompt" and (known := _similar(key)):
            raise ValueError(f"unknown key {key!r}; did you mean {known!r}?")
    if "negative_prompt" in row:
        row_fields.text("negative_prompt", row["negative_prompt"])
    return {key: row_fields.json_value(key, value) for key, value in row.items()}


@lru_cache(maxsize=256)
def _similar(key: str) -> str | None:
    """Return the known key that a misspelled one probably means: sent unchanged, it would alter the load unnoticed."""
    if any(key.startswith(f"{known}_") for known in KEYS):
        return None  # prompt_2 and the like are real arguments of some models
    return next(iter(difflib.get_close_matches(key, KEYS, n=1, cutoff=0.8)), None)
