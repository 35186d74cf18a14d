"""Run folders: their files and formats, and how they are read back.

    run.json      what is known before the start: layout, run parameters, plan, config, environment
    plan.bin      one PLANNED row per request, in schedule order
    records.bin   one RECORD row per request that ended, in order of arrival
    send_times.bin  one int64 per request: when it was sent (CLOCK_MONOTONIC ns), 0 if it was not
    stalls.bin    one STALL row per scheduling stall of the machine
    errors.jsonl  {"index", "error", "example"}: the first message of each kind and sender;
                  {"index", "retry_after"}: that header of every 429 or 503 that has it
    stages.jsonl  {"index", "stages"}: stage durations that the server reported, seconds
    metrics.jsonl what --server-metrics scraped (collector/saved/metrics_log.py)
    summary.json  the result, written last: missing if the run was killed

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
from collector.summary.run_info import RunInfo, RunNotes, parse_parameters

_MAX_NS: Final = 1 << 62  # bound of any time or count in a run
_MAX_FIGURE: Final = 1e30  # bound of any figure from the server
_NUMBER = int | float
_PARAMETERS: Final = {
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
    "output_format": str,
}
_END: Final = {
    "sent_count": int,
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
RUN, PLAN, RECORDS, SEND_TIMES, STALLS, ERRORS, STAGES, METRICS, SUMMARY = (
    *("run.json", "plan.bin", "records.bin", "send_times.bin", "stalls.bin", "errors.jsonl", "stages.jsonl"),
    *("metrics.jsonl", "summary.json"),
)
FILES: Final = (RUN, PLAN, RECORDS, SEND_TIMES, STALLS, ERRORS, STAGES, METRICS, SUMMARY)
_SEND_TIME: Final = np.dtype("<i8")
_RUN_METADATA: Final = ("config", "environment", "warmup", "slo")


@dataclass(frozen=True, slots=True)
class SavedRun:
    """A saved run. `run` is run.json; `summary` is None if the run was killed, `scrapes` without --server-metrics."""

    folder: Path
    run: Mapping[str, Any]
    info: RunInfo
    records: NDArray[Any]
    notes: RunNotes
    scrapes: Scrapes | None
    summary: Mapping[str, Any] | None

    @property
    def complete(self) -> bool:
        """Whether the run wrote its summary, interrupted or not."""
        return self.summary is not None


def describe(dtype: "np.dtype[Any]") -> list[list[str]]:
    """Describe a dtype as JSON: names and formats, in order."""
    return [[name, dtype[name].str] for name in dtype.names or ()]


def read_run(folder: Path) -> SavedRun:
    """Read a run folder. Raises RunError, which names the file and the fault."""
    run = _read_run_json(folder / RUN)
    plan = _read_plan(folder / PLAN, run)
    summary = json_files.read_object(folder / SUMMARY)
    end = None if summary is None else _read_end(folder / SUMMARY, summary)
    whole = end is not None and not end["died"]  # no process died, so no file is incomplete
    records = json_files.read_rows(folder / RECORDS, RECORD, whole=whole)
    _check_times(folder / RECORDS, records, ("sent_ns", "done_ns", *JOB_TIMES))
    send_times = _read_send_times(folder / SEND_TIMES, len(plan), records, whole=whole)
    if end is None and not send_times.any():
        raise RunError(f"{folder}: the run ended before its first request was sent, so there is nothing to report")
    info = RunInfo(
        scheduled_ns=plan["arrival_ns"] + run["started_ns"],
        slo_ms=np.ascontiguousarray(plan["slo_ms"]),
        send_time_ns=send_times,
        shapes=np.stack([plan[name] for name in ("width", "height", "frames", "steps")], axis=1),
        started_ns=run["started_ns"],
        stalls=json_files.read_rows(folder / STALLS, STALL, whole=False),
        **_parameters(folder / RUN, run),
        **(_end_of_killed_run(records, send_times) if end is None else end),
    )
    return SavedRun(
        folder, run, info, records, _read_notes(folder, whole=whole), _read_scrapes(folder / METRICS), summary
    )


def _read_run_json(path: Path) -> dict[str, Any]:
    run = json_files.read_object(path)
    if run is None:
        raise RunError(f"{path}: is missing; name a folder of --run-dir whose run has started")
    json_files.check_layout(path, run)
    for name in _RUN_METADATA:
        if not isinstance(run.get(name, {}), dict):
            raise json_files.damaged(path, f"{name} is not an object")
    _checked(path, run, "plan", {"requests": int})
    if type(run.get("started_ns")) is not int or not 0 < run["started_ns"] < _MAX_NS:
        raise json_files.damaged(path, "started_ns is not a time")
    return run


def _read_plan(path: Path, run: Mapping[str, Any]) -> NDArray[Any]:
    plan = json_files.read_rows(path, PLANNED, whole=True)
    if not len(plan):
        raise RunError(f"{path.parent}: its plan is empty, so there is nothing to report")
    if len(plan) != run["plan"]["requests"]:
        raise json_files.damaged(path, f"{len(plan)} rows for the {run['plan']['requests']} requests of {RUN}")
    _check_times(path, plan, ("arrival_ns",))
    if np.any(np.diff(plan["arrival_ns"]) < 0):
        raise json_files.damaged(path, "arrival times not in ascending order")
    if np.any((plan["slo_ms"] < 0) | (plan["slo_ms"] > _MAX_NS)):
        raise json_files.damaged(path, "an SLO target that is not a time")
    return plan


def _read_end(path: Path, summary: Mapping[str, Any]) -> dict[str, Any]:
    json_files.check_layout(path, summary)
    end = _checked(path, summary, "end", _END)
    if not isinstance(summary.get("processes", {}), dict):
        raise json_files.damaged(path, "self is not an object")
    return {**end, "died": tuple(map(str, end["died"]))}


def _read_send_times(path: Path, planned: int, records: NDArray[Any], *, whole: bool) -> NDArray[np.int64]:
    """Send times of all requests; if a process died, those not saved yet are taken from the records."""
    found = json_files.read_rows(path, _SEND_TIME, whole=whole)
    if whole and len(found) != planned:
        raise json_files.damaged(path, f"{len(found)} send times for {planned} requests")
    if np.any((found < 0) | (found >= _MAX_NS)):
        raise json_files.damaged(path, "a send time that is not a time")
    if whole:
        return found
    send_times = np.zeros(planned, np.int64)
    send_times[: len(found)] = found[:planned]
    late = records[records["index"] < planned]
    late = late[send_times[late["index"]] == 0]
    send_times[late["index"]] = late["sent_ns"]
    return send_times


def _check_times(path: Path, rows: NDArray[Any], names: tuple[str, ...]) -> None:
    for name in names:
        odd = np.flatnonzero((rows[name] < 0) | (rows[name] >= _MAX_NS))
        if len(odd):
            raise json_files.damaged(path, f"row {odd[0]}: {name} is not a time")


def _read_notes(folder: Path, *, whole: bool) -> RunNotes:
    notes = RunNotes()
    for name in (STAGES, ERRORS):
        try:
            for line in json_files.read_lines(folder / name, whole=whole):
                notes.take(line)
        except (AttributeError, KeyError, TypeError):
            raise json_files.damaged(folder / name, "a line that is not a note") from None
    # Checked once for all lines: checking each line takes longer than reading it.
    if not all(map(_are_durations, notes.stage_durations.values())):
        raise json_files.damaged(folder / STAGES, "a stage duration out of range")
    if not all(isinstance(text, str) for pair in notes.error_examples.items() for text in pair):
        raise json_files.damaged(folder / ERRORS, "an error without a name or an example")
    return notes


def _read_scrapes(path: Path) -> Scrapes | None:
    """Read the scrapes, of which the last line may be incomplete: the scraper may die without ending the run."""
    if not path.exists():
        return None
    try:
        return Scrapes.of_lines(json_files.read_lines(path, whole=False))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise json_files.damaged(path, f"a line that is not a scrape ({error})") from None


def _are_durations(values: Sequence[float]) -> bool:
    try:
        held = np.array(values)
    except ValueError:  # lists of different lengths
        return False
    return held.ndim == 1 and held.dtype.kind in "iuf" and bool(np.all((held >= 0) & (held < _MAX_FIGURE)))


def _parameters(path: Path, run: Mapping[str, Any]) -> dict[str, Any]:
    try:
        parameters = parse_parameters(_checked(path, run, "parameters", _PARAMETERS))
    except (TypeError, ValueError, OverflowError) as error:
        raise json_files.damaged(path, f"parameters: {error}") from None
    if not (parameters["max_concurrency"] > 0 and parameters["asked_rate"] > 0 and 0 < parameters["confidence"] < 1):
        raise json_files.damaged(path, "parameters: max_concurrency, asked_rate or confidence out of range")
    return parameters


def _checked(path: Path, whole: Mapping[str, Any], part: str, kinds: Mapping[str, Any]) -> dict[str, Any]:
    """One object of a JSON file, reduced to the required keys, each checked for its type."""
    found = whole.get(part)
    if not isinstance(found, dict):
        raise json_files.damaged(path, f"{part} is missing or not an object")
    for name, kind in kinds.items():
        if name not in found or not isinstance(found[name], kind) or _too_large(found[name]):
            raise json_files.damaged(path, f"{part}.{name} is missing or of the wrong type")
    return {name: found[name] for name in kinds}


def _too_large(value: object) -> bool:
    return isinstance(value, int) and not -_MAX_NS < value < _MAX_NS


def _end_of_killed_run(records: NDArray[Any], send_times: NDArray[np.int64]) -> dict[str, Any]:
    """The end of a run that was killed, dated by the last event on record."""
    last_ns = max(int(records["done_ns"].max(initial=0)), int(send_times.max()))
    return {
        "sent_count": int(np.count_nonzero(send_times)),
        "stopped_ns": last_ns,
        "drained_ns": None,
        "ended_ns": last_ns,
        "died": ("the whole run",),
        "busiest_sender": None,
    }
