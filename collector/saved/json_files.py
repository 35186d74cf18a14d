"""Files of a run folder, whatever became of them: what they hold, or one line that names the file and what is wrong."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from collector.errors import RunError

_DEEPEST: Final = 50  # levels; nothing that we write has more than five


def read_object(path: Path) -> dict[str, Any] | None:
    """Read a JSON object; None where there is no such file."""
    content = _content(path)
    if content is None:
        return None
    found = _parsed(path, content)
    if not isinstance(found, dict):
        raise damaged(path, "no JSON object")
    if _depth(found) > _DEEPEST:
        raise damaged(path, f"more than {_DEEPEST} levels of JSON")
    return found


def read_rows(path: Path, dtype: "np.dtype[Any]", *, whole: bool) -> NDArray[Any]:
    """Read the rows of a .bin file.

    Where it has to be `whole`, a missing file or a torn last row is damage; else what a death tore is left out.
    """
    content = _content(path)
    if content is None and whole:
        raise RunError(f"{path}: is not there, though the run came that far; the folder is damaged")
    content = content or b""
    torn = len(content) % dtype.itemsize
    if torn and whole:
        raise damaged(path, f"{len(content)} bytes are no whole number of rows of {dtype.itemsize}")
    return np.frombuffer(content[: len(content) - torn], dtype)


def read_lines(path: Path, *, whole: bool) -> Iterator[Any]:
    """Read the values of a .jsonl file, which need not be there; as with rows, a torn last line is damage or is not."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.endswith(b"\n"):
                    yield _parsed(path, line, f"line {number}: ")
                elif whole:
                    raise damaged(path, f"line {number} is cut short")
    except FileNotFoundError:
        return
    except OSError as error:
        raise RunError(f"{path}: {error.strerror}") from None


def damaged(path: Path, what: str) -> RunError:
    """Say that a file is damaged, and in what way."""
    return RunError(f"{path}: is damaged ({what}); nothing can be read from it")


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunError(f"{path}: {error.strerror}") from None


def _parsed(path: Path, content: bytes, place: str = "") -> Any:
    try:
        return orjson.loads(content)
    except ValueError as error:
        raise damaged(path, f"{place}{error}") from None


def _depth(value: object) -> int:
    """How many levels a JSON value has, without recursion, which would end before the levels do."""
    depth, level = 0, [value]
    while level := [child for parent in level for child in _children(parent)]:
        depth += 1
    return depth


def _children(value: object) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
