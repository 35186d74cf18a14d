"""Export: a saved run as one row a planned request, for whatever else people compute with."""

import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from collector import times as clock
from collector.errors import RunError
from collector.facts import Facts
from collector.record import Outcome, error_name
from collector.saved import SavedRun

FORMATS: Final = ("csv", "jsonl", "parquet")
ROWS_AT_ONCE: Final = 50_000


def columns(saved: SavedRun, facts: Facts) -> dict[str, NDArray[Any]]:
    """Columns of n rows; times are seconds from time zero, nan and "" where there is nothing to tell.

    `wait_s`, `lag_s`, `service_s` and `response_s` are those of the report.
    """
    records = clock.first_records(saved.records, facts.planned)
    times = clock.of_run(records, facts)
    n, at = facts.planned, times.index

    def spread(values: NDArray[np.int64]) -> NDArray[np.float64]:
        column = np.full(n, math.nan)
        column[at] = values / 1e9
        return column

    outcome = np.full(n, "unsent", object)
    outcome[at] = [Outcome(code).name.lower() for code in times.outcome.tolist()]
    error = np.full(n, "", object)
    status = np.zeros(n, np.int64)
    status[records["index"]] = records["status"]
    failed = records[records["error"] != 0]
    kinds = zip(failed["error"].tolist(), failed["status"].tolist(), strict=True)
    error[failed["index"]] = [error_name(*kind) for kind in kinds]
    shapes = facts.shapes if len(facts.shapes) else np.zeros((n, 4), np.int32)
    return {
        "index": np.arange(n),
        "scheduled_s": (facts.scheduled_ns - facts.started_ns) / 1e9,
        "sent_s": spread(times.sent_ns - facts.started_ns),
        "done_s": spread(times.done_ns - facts.started_ns),
        "wait_s": spread(times.wait_ns),
        "lag_s": spread(times.lag_ns),
        "service_s": spread(times.service_ns),
        "response_s": spread(times.response_ns),
        "outcome": outcome,
        "error": error,
        "status": status,
        "slo_s": facts.slo_ms / 1e3,
        **{name: shapes[:, k] for k, name in enumerate(("width", "height", "frames", "steps"))},
    }


def write(saved: SavedRun, facts: Facts, form: str, place: Path) -> int:
    """Write the rows to a new file and return how many; RunError where that fails, or the file is there already."""
    found = columns(saved, facts)
    if place.exists():
        raise RunError(f"--export-file {place}: is there already and is not overwritten; name another file")
    try:
        {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}[form](found, place)
    except OSError as error:
        raise RunError(f"--export-file {place}: {error.strerror}; name a file that can be written") from None
    return facts.planned


def _rows(found: dict[str, NDArray[Any]]) -> Iterator[tuple[Any, ...]]:
    """Rows of plain values, None for nan."""
    for first in range(0, len(found["index"]), ROWS_AT_ONCE):
        parts = [values[first : first + ROWS_AT_ONCE].tolist() for values in found.values()]
        for row in zip(*parts, strict=True):
            yield tuple(None if value != value else value for value in row)


def _csv(found: dict[str, NDArray[Any]], place: Path) -> None:
    with place.open("x", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(found)
        writer.writerows(_rows(found))


def _jsonl(found: dict[str, NDArray[Any]], place: Path) -> None:
    names = list(found)
    with place.open("xb") as file:
        for row in _rows(found):
            file.write(orjson.dumps(dict(zip(names, row, strict=True))) + b"\n")


def _parquet(found: dict[str, NDArray[Any]], place: Path) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise RunError("--export parquet needs pyarrow: pip install 'diffusion-loadgen[parquet]'") from None
    with place.open("xb") as file:
        pyarrow.parquet.write_table(pyarrow.table(found), file)
