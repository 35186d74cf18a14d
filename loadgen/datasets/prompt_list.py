"""A file of prompts: one per line, or a CSV or JSON file with a column or key of prompts; its content tells which."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import orjson

from loadgen.datasets import custom
from loadgen.errors import InputError

COLUMNS: Final = ("prompt", "caption", "prompt_en", "text")  # names of a column or key of prompts, the first one wins
_DELIMITERS: Final = {".csv": ",", ".tsv": "\t"}
_CUSTOM_KEYS: Final = frozenset(custom.KEYS) - {"prompt"}


def prompt_list(path: Path) -> Iterator[str]:
    """Yield the prompts of a file; InputError says which data set a file of another kind is for."""
    rows = _text_lines(path)
    first = next(iter(_text_lines(path)), (0, ""))[1]
    if path.suffix.lower() in _DELIMITERS:
        return _csv(path, _DELIMITERS[path.suffix.lower()])
    if first.startswith("Request("):
        raise InputError(path, None, "a trace, not a list of prompts; give --dataset trace")
    if first.startswith("["):
        return _json_list(path)
    if first.startswith("{") or path.suffix.lower() == ".jsonl":
        return (_prompt(_object(line, path, number), path, number) for number, line in rows)
    return (line for _, line in rows)


def _object(line: str, path: Path, number: int) -> dict[str, object]:
    try:
        return custom.parse(line.encode())
    except ValueError as error:
        raise InputError(path, number, str(error)) from None


def _text_lines(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in custom.lines(path):
        try:
            yield number, line.decode().strip()
        except UnicodeDecodeError:
            raise InputError(path, number, "not UTF-8 text; save the prompts as UTF-8") from None


def _csv(path: Path, delimiter: str) -> Iterator[str]:
    """The prompts in the column of that name, which a head line must give."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            reader = csv.DictReader(file, delimiter=delimiter)
            names = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
            column = next((names[each] for each in COLUMNS if each in names), None)
            if column is None:
                raise InputError(path, 1, f"no column named {_any_of(COLUMNS)}; name it in the first line")
            for row in reader:
                if prompt := (row[column] or "").strip():
                    yield prompt
        except UnicodeDecodeError:
            raise InputError(path, None, "not UTF-8 text; save the prompts as UTF-8") from None
        except csv.Error as error:
            raise InputError(path, None, f"not a CSV file ({error}); save it again") from None


def _json_list(path: Path) -> Iterator[str]:
    """The prompts of a JSON list of texts or objects; a text file may begin with a bracket too."""
    try:
        entries = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError:
        return (line for _, line in _text_lines(path))
    return (
        entry if isinstance(entry, str) else _prompt(entry, path, None, f"entry {number}: ")
        for number, entry in enumerate(entries, 1)
    )


def _prompt(row: object, path: Path, line: int | None, entry: str = "") -> str:
    """The prompt of an object; its other keys may not be those of the custom dataset, which would be lost."""
    if not isinstance(row, dict):
        raise InputError(path, line, f"{entry}not an object with a prompt")
    if lost := sorted(_CUSTOM_KEYS & row.keys()):
        raise InputError(path, line, f"{entry}has {lost[0]}, which vbench does not read; give --dataset custom")
    prompts: list[str] = [row[each] for each in COLUMNS if isinstance(row.get(each), str)]
    if not prompts:
        raise InputError(path, line, f"{entry}no key {_any_of(COLUMNS)} with a text")
    return prompts[0]


def _any_of(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
