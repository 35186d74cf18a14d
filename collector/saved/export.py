"""Exports a saved run as CSV, JSON lines or Parquet, one row per planned request."""

import csv
import io
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from collector.errors import RunError
from collector.records.record import Outcome, error_names
from collector.saved.run_folder import SavedRun
from collector.summary import slo
from collector.summary import times as clock
from collector.summary.run_info import RunInfo
from collector.summary.times import Times

ROWS_AT_ONCE: Final = 50_000
_NAMES: Final = np.array([f"outcome_{code}" for code in range(256)], object)  # unknown ones keep their number
_NAMES[list(Outcome)] = [outcome.name.lower() for outcome in Outcome]

Columns = Mapping[str, NDArray[Any]]
Writer = Callable[[Columns, IO[bytes]], None]


def columns(saved: SavedRun, info: RunInfo) -> Columns:
    """Columns of n rows; times are seconds from time zero, nan and "" if unknown.

    `wait_s`, `lag_s`, `service_s` and `response_s` are those of the report. `met` is None for a request that has no
    target or was not due before an interrupt. The end of a lost request is unknown.
    """
    records = clock.first_records(saved.records, info.planned)
    times = clock.of_run(records, info)
    ended = times.outcome != Outcome.LOST

    def per_request(
        values_ns: NDArray[np.int64], known: NDArray[np.bool_] | slice = slice(None)
    ) -> NDArray[np.float64]:
        column = np.full(info.planned, math.nan)
        column[times.index[known]] = values_ns[known] / 1e9
        return column

    urls = np.array(info.urls or ("",), object)
    return {
        "index": np.arange(info.planned),
        "scheduled_s": (info.scheduled_ns - info.started_ns) / 1e9,
        "sent_s": per_request(times.sent_ns - info.started_ns),
        "done_s": per_request(times.done_ns - info.started_ns, ended),
        "wait_s": per_request(times.wait_ns),
        "lag_s": per_request(times.lag_ns),
        "service_s": per_request(times.service_ns, ended),
        "response_s": per_request(times.response_ns, ended),
        "completion_width_s": per_request(times.width_ns),
        **_outcomes(records, times, info),
        **_media(records, info),
        "slo_s": info.slo_ms / 1e3,
        "met": _met(times, info),
        **({"url": urls[np.arange(info.planned) % len(urls)]} if len(urls) > 1 else {}),
        **{name: info.shapes[:, k] for k, name in enumerate(("width", "height", "frames", "steps"))},
    }


def _outcomes(records: NDArray[Any], times: Times, info: RunInfo) -> dict[str, NDArray[Any]]:
    outcome, error = np.full(info.planned, "unsent", object), np.full(info.planned, "", object)
    outcome[times.index] = _NAMES[times.outcome]
    failed = records[records["outcome"] == Outcome.ERROR]
    error[failed["index"]] = error_names(failed)
    status = np.zeros(info.planned, np.int64)
    status[records["index"]] = records["status"]
    return {"outcome": outcome, "error": error, "status": status}


def _media(records: NDArray[Any], info: RunInfo) -> dict[str, NDArray[Any]]:
    """What the answers contained: 0, or nan, if unknown."""
    names = {name: f"media_{name}" for name in ("width", "height", "frames")} | {"outputs": "outputs"}
    found: dict[str, NDArray[Any]] = {own: np.zeros(info.planned, np.int64) for own in names.values()}
    for name, own in names.items():
        found[own][records["index"]] = records[name]
    inference_s = np.full(info.planned, math.nan)
    inference_s[records["index"]] = records["inference_s"]
    return {**found, "server_inference_s": inference_s}


def _met(times: Times, info: RunInfo) -> NDArray[Any]:
    """True, False, or None for a request that does not count; see `slo.judged`."""
    column = np.full(info.planned, None, object)
    if info.slo_enabled:
        counted, met = slo.judged(times, info)
        column[counted] = met[counted]
    return column


def write(saved: SavedRun, info: RunInfo, form: str, place: Path) -> int:
    """Write the rows to a new file and return their number.

    Raises RunError if the file exists already, or if writing fails; no partial file is left behind then.
    """
    found = columns(saved, info)
    try:
        with place.open("xb") as file:
            _write_all_or_nothing(_WRITERS[form], found, file, place)
    except FileExistsError:
        raise RunError(f"--export-file {place}: exists already and is not overwritten; name another file") from None
    except OSError as error:
        raise RunError(f"--export-file {place}: {error.strerror}; name a file that can be written") from None
    return info.planned


def _write_all_or_nothing(write_rows: Writer, found: Columns, file: IO[bytes], place: Path) -> None:
    try:
        write_rows(found, file)
        file.flush()
    except BaseException:
        place.unlink(missing_ok=True)
        raise


def _csv(found: Columns, file: IO[bytes]) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text)
    writer.writerow(found)
    writer.writerows(_rows(found))
    text.detach()  # flushes, and leaves the file open


def _jsonl(found: Columns, file: IO[bytes]) -> None:
    names = list(found)
    for row in _rows(found):
        file.write(orjson.dumps(dict(zip(names, row, strict=True))) + b"\n")


def _parquet(found: Columns, file: IO[bytes]) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise RunError("--export parquet needs pyarrow: pip install diffusion-loadgen[parquet]") from None
    types = {"met": pyarrow.bool_()}  # even if every value is None; nan becomes null
    arrays = {name: pyarrow.array(values, types.get(name), from_pandas=True) for name, values in found.items()}
    pyarrow.parquet.write_table(pyarrow.table(arrays), file)


def _rows(found: Columns) -> Iterator[tuple[Any, ...]]:
    """Rows of plain values, None for nan."""
    for first in range(0, len(found["index"]), ROWS_AT_ONCE):
        parts = [_plain(values[first : first + ROWS_AT_ONCE]) for values in found.values()]
        yield from zip(*parts, strict=True)


def _plain(values: NDArray[Any]) -> list[Any]:
    plain: list[Any] = values.tolist()
    return [None if value != value else value for value in plain] if values.dtype.kind == "f" else plain


_WRITERS: Final[Mapping[str, Writer]] = {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}
FORMATS: Final = tuple(_WRITERS)
