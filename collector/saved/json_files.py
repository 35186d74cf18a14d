"""Reads JSON, JSON-lines and binary files of saved runs; a RunError names the file and what is wrong with it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from collector.errors import RunError
from collector.summary.result import LAYOUT

_MAX_DEPTH: Final = 50  # levels; what this tool writes has five at most


def read_object(path: Path) -> dict[str, Any] | None:
    """Read a JSON object; None where there is no such file."""
    content = _content(path)
    if content is None:
        return None
    value = _parsed(path, content)
    if not isinstance(value, dict):
        raise damaged(path, "no JSON object")
    if _depth(value) > _MAX_DEPTH:
        raise damaged(path, f"more than {_MAX_DEPTH} levels of JSON")
    return value


def check_layout(path: Path, value: Mapping[str, Any]) -> None:
    """Raise RunError where the object that `path` holds is of another layout than this version reads."""
    if value.get("layout") != LAYOUT:
        layout = f"layout {value['layout']!r:.20}" if "layout" in value else "no layout"
        raise RunError(
            f"{path}: {layout}, expected layout {LAYOUT}; make it again, or read it with the version that wrote it"
        )


def read_rows(path: Path, dtype: "np.dtype[Any]", *, whole: bool) -> NDArray[Any]:
    """Read the rows of a .bin file.

    Where it has to be `whole`, a missing file or an incomplete last row is an error; otherwise that row is ignored.
    """
    content = _content(path)
    if content is None and whole:
        raise RunError(f"{path}: is missing, so the folder is damaged")
    content = content or b""
    torn = len(content) % dtype.itemsize
    if torn and whole:
        raise damaged(path, f"{len(content)} bytes are not a whole number of rows of {dtype.itemsize}")
    return np.frombuffer(content[: len(content) - torn], dtype)


def read_lines(path: Path, *, whole: bool) -> Iterator[Any]:
    """Read the values of a .jsonl file, which may be missing; an incomplete last line is treated as in `read_rows`."""
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
    """Return the error for a damaged file; `what` is the fault."""
    return RunError(f"{path}: is damaged ({what}) and cannot be read")


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
    """The nesting depth of a JSON value, computed without recursion, which has a limit of its own."""
    depth, level = 0, [value]
    while level := [child for parent in level for child in _children(parent)]:
        depth += 1
    return depth


def _children(value: object) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
