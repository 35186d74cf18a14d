"""Saved runs: a folder that is written as the run goes, and that can be reported again, anywhere, long after.

    run.json      what was decided before the start: layout, facts ("terms"), plan, config, environment
    plan.bin      a row of PLANNED a request, in schedule order
    records.bin   a row of RECORD a request that ended, in order of coming
    marks.bin     int64 a request, when it was sent (CLOCK_MONOTONIC ns), 0 where it was not
    hiccups.bin   a row of HICCUP for each late waking of the machine
    errors.jsonl  {"index", "error", "example"}: what a server or a socket said, the first of each kind and sender;
                  {"index", "retry_after"}: the header of every 429 or 503 that had it
    stages.jsonl  {"index", "stages"}: what the server said of its own stages, seconds
    metrics.jsonl what --server-metrics scraped (collector/saved/metrics_log.py)
    summary.json  the result, written last: a folder without it is of a run that was killed

The .bin files have no header: `numpy.fromfile(path, dtype)` reads them, the dtypes stand in run.json too
(docs/saved-runs.md has an example).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.errors import RunError
from collector.records.record import JOB_TIMES, RECORD
from collector.records.stalls import STALL
from collector.saved import json_files
from collector.saved.metrics_log import Scrapes
from collector.summary.run_info import RunInfo, RunNotes, read_terms

LAYOUT: Final = 4
_LATEST_NS: Final = 1 << 62  # of any time or count in a run
_LARGEST: Final = 1e30  # of any figure of the server's
_NUMBER = int | float
_TERMS: Final = {
    "max_concurrency": int,
    "asked_rate": str,
    "latency_from": str,
    "slo_enabled": bool,
    "slo_scale": _NUMBER,
    "confidence": _NUMBER,
    "arrival": str,
    "burstiness": _NUMBER,
    "rate_series": list,
    "urls": list,
}
_END: Final = {
    "counted_sent": int,
    "stopped_ns": int | None,
    "drained_ns": int | None,
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
RUN, PLAN, RECORDS, MARKS, STALLS, ERRORS, STAGES, METRICS, SUMMARY = (
    *("run.json", "plan.bin", "records.bin", "marks.bin", "hiccups.bin", "errors.jsonl", "stages.jsonl"),
    *("metrics.jsonl", "summary.json"),
)
FILES: Final = (RUN, PLAN, RECORDS, MARKS, STALLS, ERRORS, STAGES, METRICS, SUMMARY)
_MARK: Final = np.dtype("<i8")
_RUN_METADATA: Final = ("config", "environment", "warmup", "slo")


@dataclass(frozen=True, slots=True)
class SavedRun:
    """A run as it was saved. `run` is run.json, `summary` is None where the run was killed before its end.

    `scrapes` is None where the run had no --server-metrics.
    """

    folder: Path
    run: Mapping[str, Any]
    info: RunInfo
    records: NDArray[Any]
    notes: RunNotes
    scrapes: Scrapes | None
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
    run = _read_about(folder / RUN)
    plan = _read_plan(folder / PLAN, run)
    summary = json_files.read_object(folder / SUMMARY)
    end = None if summary is None else _read_end(folder / SUMMARY, summary)
    whole = end is not None and not end["died"]  # nobody died, so nothing is torn
    records = json_files.read_rows(folder / RECORDS, RECORD, whole=whole)
    _check_times(folder / RECORDS, records, ("sent_ns", "done_ns", *JOB_TIMES))
    marks = _read_marks(folder / MARKS, len(plan), records, whole=whole)
    if end is None and not marks.any():
        raise RunError(f"{folder}: the run ended before its first request; there is nothing to report")
    info = RunInfo(
        scheduled_ns=plan["arrival_ns"] + run["started_ns"],
        slo_ms=np.ascontiguousarray(plan["slo_ms"]),
        marked_ns=marks,
        shapes=np.stack([plan[name] for name in ("width", "height", "frames", "steps")], axis=1),
        started_ns=run["started_ns"],
        stalls=json_files.read_rows(folder / STALLS, STALL, whole=False),
        **_terms(folder / RUN, run),
        **(_torn(records, marks) if end is None else end),
    )
    return SavedRun(
        folder, run, info, records, _read_notes(folder, whole=whole), _read_scrapes(folder / METRICS), summary
    )


def _read_about(path: Path) -> dict[str, Any]:
    run = json_files.read_object(path)
    if run is None:
        raise RunError(f"{path}: is not there; name a folder that --run-dir made, of a run that began")
    if run.get("layout") != LAYOUT:
        layout = f"{run.get('layout')!r:.20}"
        raise RunError(f"{path}: layout {layout} is not {LAYOUT}; use the version that wrote it")
    for name in _RUN_METADATA:
        if not isinstance(run.get(name, {}), dict):
            raise json_files.damaged(path, f"{name} is no object")
    _checked(path, run, "plan", {"requests": int})
    if type(run.get("started_ns")) is not int or not 0 < run["started_ns"] < _LATEST_NS:
        raise json_files.damaged(path, "started_ns is no time")
    return run


def _read_plan(path: Path, run: Mapping[str, Any]) -> NDArray[Any]:
    plan = json_files.read_rows(path, PLANNED, whole=True)
    if not len(plan):
        raise RunError(f"{path.parent}: its plan is empty; there is nothing to report")
    if len(plan) != run["plan"]["requests"]:
        raise json_files.damaged(path, f"{len(plan)} rows for the {run['plan']['requests']} requests of {RUN}")
    _check_times(path, plan, ("arrival_ns",))
    if np.any(np.diff(plan["arrival_ns"]) < 0):
        raise json_files.damaged(path, "arrivals that do not ascend")
    if np.any((plan["slo_ms"] < 0) | (plan["slo_ms"] > _LATEST_NS)):
        raise json_files.damaged(path, "a target that is no time")
    return plan


def _read_end(path: Path, summary: Mapping[str, Any]) -> dict[str, Any]:
    end = _checked(path, summary, "end", _END)
    if not isinstance(summary.get("self", {}), dict):
        raise json_files.damaged(path, "self is no object")
    return {**end, "died": tuple(map(str, end["died"]))}


def _read_marks(path: Path, planned: int, records: NDArray[Any], *, whole: bool) -> NDArray[np.int64]:
    """Marks of all requests; where somebody died, those that were not saved yet are taken from the records."""
    found = json_files.read_rows(path, _MARK, whole=whole)
    if whole and len(found) != planned:
        raise json_files.damaged(path, f"{len(found)} marks for {planned} requests")
    if np.any((found < 0) | (found >= _LATEST_NS)):
        raise json_files.damaged(path, "a mark that is no time")
    if whole:
        return found
    marks = np.zeros(planned, np.int64)
    marks[: len(found)] = found[:planned]
    late = records[records["index"] < planned]
    late = late[marks[late["index"]] == 0]
    marks[late["index"]] = late["sent_ns"]
    return marks


def _check_times(path: Path, rows: NDArray[Any], names: tuple[str, ...]) -> None:
    for name in names:
        odd = np.flatnonzero((rows[name] < 0) | (rows[name] >= _LATEST_NS))
        if len(odd):
            raise json_files.damaged(path, f"row {odd[0]}: {name} is no time")


def _read_notes(folder: Path, *, whole: bool) -> RunNotes:
    notes = RunNotes()
    for name in (STAGES, ERRORS):
        try:
            for line in json_files.read_lines(folder / name, whole=whole):
                notes.take(line)
        except (AttributeError, KeyError, TypeError):
            raise json_files.damaged(folder / name, "a line that is no note") from None
    # Held against what they should be once for all lines: one by one that takes longer than to read them.
    if not all(map(_are_durations, notes.stage_durations.values())):
        raise json_files.damaged(folder / STAGES, "a stage's duration that is none")
    if not all(isinstance(text, str) for pair in notes.error_examples.items() for text in pair):
        raise json_files.damaged(folder / ERRORS, "an error without a name or an example")
    return notes


def _read_scrapes(path: Path) -> Scrapes | None:
    """Scrapes are never whole for certain: their writer may die without harm to the run."""
    if not path.exists():
        return None
    try:
        return Scrapes.of_lines(json_files.read_lines(path, whole=False))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise json_files.damaged(path, f"a line that is no scrape ({error})") from None


def _are_durations(values: Sequence[float]) -> bool:
    try:
        held = np.array(values)
    except ValueError:  # lists of different lengths
        return False
    return held.ndim == 1 and held.dtype.kind in "iuf" and bool(np.all((held >= 0) & (held < _LARGEST)))


def _terms(path: Path, run: Mapping[str, Any]) -> dict[str, Any]:
    try:
        terms = read_terms(_checked(path, run, "terms", _TERMS))
    except (TypeError, ValueError, OverflowError) as error:
        raise json_files.damaged(path, f"terms: {error}") from None
    if not (terms["max_concurrency"] > 0 and terms["asked_rate"] > 0 and 0 < terms["confidence"] < 1):
        raise json_files.damaged(path, "terms: a budget, rate or confidence out of range")
    return terms


def _checked(path: Path, whole: Mapping[str, Any], part: str, kinds: Mapping[str, Any]) -> dict[str, Any]:
    """A part of a JSON file, with the keys that it must have, each of its kind."""
    found = whole.get(part)
    if not isinstance(found, dict):
        raise json_files.damaged(path, f"{part} is not there, or no object")
    for name, kind in kinds.items():
        if name not in found or not isinstance(found[name], kind) or _too_large(found[name]):
            raise json_files.damaged(path, f"{part}.{name} is not there, or not what it should be")
    return {name: found[name] for name in kinds}


def _too_large(value: object) -> bool:
    return isinstance(value, int) and not -_LATEST_NS < value < _LATEST_NS


def _torn(records: NDArray[Any], marks: NDArray[np.int64]) -> dict[str, Any]:
    """The end of a run that was killed: the last sign of life."""
    last_ns = max(int(records["done_ns"].max(initial=0)), int(marks.max()))
    return {
        "counted_sent": int(np.count_nonzero(marks)),
        "stopped_ns": last_ns,
        "drained_ns": None,
        "ended_ns": last_ns,
        "died": ("the whole run",),
        "busiest_sender": None,
    }
