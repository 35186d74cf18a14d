"""Saved runs: a folder that is written as the run goes, and that can be reported again, anywhere, long after.

    run.json      what was decided before the start: layout, facts ("terms"), plan, config, environment
    plan.bin      a row of PLANNED a request, in schedule order
    records.bin   a row of RECORD a request that ended, in order of coming
    marks.bin     int64 a request, when it was sent (CLOCK_MONOTONIC ns), 0 where it was not
    hiccups.bin   a row of HICCUP for each late waking of the machine
    errors.jsonl  {"index", "error", "example"}: what a server or a socket said, the first of each kind and sender
    stages.jsonl  {"index", "stages"}: what the server said of its own stages, seconds
    summary.json  the result, written last: a folder without it is of a run that was killed

The .bin files have no header: `numpy.fromfile(path, dtype)` reads them, the dtypes stand in run.json too.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from collector.books import read_terms
from collector.errors import RunError
from collector.facts import Facts, Notes
from collector.hiccup import HICCUP
from collector.record import RECORD
from collector.wire import Note

LAYOUT: Final = 1
_LATEST_NS: Final = 1 << 62  # of any time or count in a run
_NUMBER = int | float
_TERMS: Final = {
    "max_concurrency": int,
    "asked_rate": str,
    "latency_from": str,
    "slo_enabled": bool,
    "slo_scale": _NUMBER,
    "confidence": _NUMBER,
}
_END: Final = {
    "counted_sent": int,
    "stopped_ns": int | None,
    "ended_ns": int,
    "died": list,
    "busiest_sender": _NUMBER | None,
}
PLANNED: Final = np.dtype(
    [
        ("arrival_ns", "<i8"),  # from time zero
        ("slo_ms", "<f8"),  # nan where it has no target
        ("width", "<i4"),
        ("height", "<i4"),
        ("frames", "<i4"),
        ("steps", "<i4"),
    ]
)
RUN, PLAN, RECORDS, MARKS, HICCUPS, ERRORS, STAGES, SUMMARY = (
    *("run.json", "plan.bin", "records.bin", "marks.bin", "hiccups.bin", "errors.jsonl", "stages.jsonl"),
    "summary.json",
)


@dataclass(frozen=True, slots=True)
class SavedRun:
    """A run as it was saved. `run` is run.json, `summary` is None where the run was killed before its end."""

    folder: Path
    run: Mapping[str, Any]
    facts: Facts
    records: NDArray[Any]
    notes: Notes
    summary: Mapping[str, Any] | None

    @property
    def complete(self) -> bool:
        """Whether the run came to its end, planned or not, and closed its books."""
        return self.summary is not None


def describe(dtype: "np.dtype[Any]") -> list[list[str]]:
    """Write a dtype down as JSON: names and formats, in order."""
    return [[name, dtype[name].str] for name in dtype.names or ()]


def read_run(folder: Path) -> SavedRun:
    """Read a run folder; RunError says what is wrong with it."""
    run = _read_json(folder / RUN)
    if run.get("layout") != LAYOUT:
        raise RunError(f"{folder / RUN}: layout {run.get('layout')} is not {LAYOUT}; use the version that wrote it")
    summary = _read_json(folder / SUMMARY) if (folder / SUMMARY).exists() else None
    plan = _read_rows(folder / PLAN, PLANNED, whole=True)
    if type(run.get("started_ns")) is not int or not 0 < run["started_ns"] < _LATEST_NS:
        raise RunError(f"{folder / RUN}: is damaged (started_ns is no time); nothing can be read from it")
    if not len(plan):
        raise RunError(f"{folder}: the run ended before its first request; there is nothing to report")
    records = _read_rows(folder / RECORDS, RECORD, whole=summary is not None)
    facts = _facts(folder, run, plan, records, summary)
    return SavedRun(folder, run, facts, records, _notes(folder), summary)


def _notes(folder: Path) -> Notes:
    notes = Notes()
    for name in (STAGES, ERRORS):
        for line in _lines(folder / name):
            try:
                notes.take(line)
            except (AttributeError, KeyError, TypeError) as error:
                raise RunError(f"{folder / name}: is damaged (a line that is no note: {error!r})") from None
    return notes


def _facts(
    folder: Path,
    run: Mapping[str, Any],
    plan: NDArray[Any],
    records: NDArray[Any],
    summary: Mapping[str, Any] | None,
) -> Facts:
    started_ns = run["started_ns"]
    marks = np.zeros(len(plan), np.int64)
    posted = _read_rows(folder / MARKS, np.dtype("<i8"), whole=False)[: len(plan)]
    marks[: len(posted)] = posted
    inside = records[records["index"] < len(plan)]
    marks[inside["index"]] = np.where(marks[inside["index"]] == 0, inside["sent_ns"], marks[inside["index"]])
    end = _torn(records, marks, started_ns) if summary is None else _checked(folder / SUMMARY, summary, "end", _END)
    return Facts(
        scheduled_ns=plan["arrival_ns"] + started_ns,
        slo_ms=np.ascontiguousarray(plan["slo_ms"]),
        marked_ns=marks,
        shapes=np.stack([plan[name] for name in ("width", "height", "frames", "steps")], axis=1),
        started_ns=started_ns,
        hiccups=_read_rows(folder / HICCUPS, HICCUP, whole=False),
        **read_terms(_checked(folder / RUN, run, "terms", _TERMS)),
        **{**end, "died": tuple(map(str, end["died"]))},
    )


def _checked(path: Path, whole: Mapping[str, Any], part: str, kinds: Mapping[str, Any]) -> dict[str, Any]:
    """A part of a JSON file, with the keys that it must have, each of its kind."""
    found = whole.get(part)
    for name, kind in kinds.items():
        if not isinstance(found, dict) or not isinstance(found.get(name), kind) or _too_large(found[name]):
            raise RunError(f"{path}: is damaged ({part}.{name} is not there, or not what it should be)")
    assert isinstance(found, dict)
    return {name: found[name] for name in kinds}


def _too_large(value: object) -> bool:
    return isinstance(value, int) and not -_LATEST_NS < value < _LATEST_NS


def _torn(records: NDArray[Any], marks: NDArray[np.int64], started_ns: int) -> dict[str, Any]:
    """The end of a run that was killed: the last sign of life."""
    last_ns = max(int(records["done_ns"].max(initial=started_ns)), int(marks.max(initial=0)))
    return {
        "counted_sent": int(np.count_nonzero(marks)),
        "stopped_ns": last_ns,
        "ended_ns": last_ns,
        "died": ["the whole run"],
        "busiest_sender": None,
    }


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise RunError(f"{path}: is not there; name a folder that --run-dir made") from None
    except OSError as error:
        raise RunError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise RunError(f"{path}: is damaged ({error}); nothing can be read from it") from None
    if not isinstance(found, dict):
        raise RunError(f"{path}: is damaged (no JSON object); nothing can be read from it")
    return found


def _read_rows(path: Path, dtype: "np.dtype[Any]", *, whole: bool) -> NDArray[Any]:
    """Rows of a .bin file; a torn last row is damage where the file should be `whole`, else it is left out."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        if whole:
            raise RunError(f"{path}: is not there, though the run came that far; the folder is damaged") from None
        content = b""
    except OSError as error:
        raise RunError(f"{path}: {error.strerror}") from None
    torn = len(content) % dtype.itemsize
    if torn and whole:
        raise RunError(f"{path}: is damaged: {len(content)} bytes are no whole number of rows of {dtype.itemsize}")
    return np.frombuffer(content[: len(content) - torn], dtype)


def _lines(path: Path) -> list[Note]:
    """Notes of a .jsonl file; a line torn by a death is left out."""
    try:
        return [orjson.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: is damaged ({error})") from None
