"""A saved run reported again, with other questions than it was made with."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from collector.errors import RunError
from collector.report import json
from collector.report.html.page import page
from collector.report.html.series import Series
from collector.report.terminal import percentiles
from collector.report.terminal.percentiles import Percentiles
from collector.saved import export, metrics_series
from collector.saved.run_folder import RUN, SUMMARY, SavedRun, read_run
from collector.summary import times as clock
from collector.summary.result import Result
from collector.summary.run_info import RunInfo
from collector.summary.summary import summarise

LATENCIES: Final = ("scheduled", "sent")


@dataclass(frozen=True, slots=True)
class Report:
    """A saved run, its facts as they were asked for, and the `result` (the JSON of the report) that comes of them."""

    saved: SavedRun
    info: RunInfo
    result: Result

    def page(self) -> bytes:
        """Write the report as one HTML file in UTF-8 that asks no network."""
        with shown_of(self.saved.folder):
            return page_of(self.result, self.saved, self.info)

    def percentiles(self, shares: Mapping[str, float]) -> Percentiles:
        """Give further percentiles with their intervals, in seconds, by name: `{"99.5": 0.995}`."""
        times = clock.of_run(clock.first_records(self.saved.records, self.info.planned), self.info)
        return percentiles.of(times, shares, self.info.confidence)

    def export(self, form: str, place: Path) -> int:
        """Write a row a planned request to a new file, as csv, jsonl or parquet; return how many rows."""
        return export.write(self.saved, self.info, form, place)


def report(
    folder: str | Path,
    *,
    latency_from: str | None = None,
    slo_ms: float | None = None,
    confidence: float | None = None,
) -> Report:
    """Report a folder of `--run-dir`; None leaves it at what the run was made with.

    `latency_from` is "scheduled" or "sent", `slo_ms` a target for every request, `confidence` that of every interval
    (0.5 to 0.9999). Raises RunError, which says what is wrong with the folder or with these.
    """
    _check(latency_from, slo_ms, confidence)
    saved = read_run(Path(folder))
    info = saved.info
    if latency_from is not None:
        info = replace(info, latency_from=latency_from)
    if confidence is not None:
        info = replace(info, confidence=confidence)
    if slo_ms is not None:
        info = replace(info, slo_enabled=True, slo_ms=np.full(info.planned, float(slo_ms)))
    return Report(saved, info, again(saved, info, {"model": "flat", "flat_ms": slo_ms} if slo_ms else None))


def again(saved: SavedRun, info: RunInfo, slo: Mapping[str, object] | None = None) -> Result:
    """Compute the result of a saved run anew; `slo` says where targets come from, if not from where they did."""
    run, figures = saved.run, summarise(saved.records, info, saved.notes)
    return json.assemble(
        figures,
        server_metrics=metrics_series.of_run(saved.scrapes, info.started_ns, figures),
        config=run.get("config", {}),
        environment=run.get("environment", {}),
        warmup=run.get("warmup", {}),
        slo=run.get("slo", {}) if slo is None else slo,
        media=(saved.summary or {}).get("media", {}),
        processes=(saved.summary or {}).get("processes", {}),
        backend=str(run.get("backend", "")),
        model=str(run.get("model", "")),
        dataset=str(run.get("dataset", "")),
        task=str(run.get("task", "")),
    )


def page_of(result: Result, saved: SavedRun, info: RunInfo) -> bytes:
    """Draw the page of a result from the records that it comes of."""
    moved = metrics_series.moved(saved.scrapes, info.started_ns)
    return page(result, Series.of_run(saved.records, info, info.stalls), moved)


@contextmanager
def shown_of(folder: Path) -> Iterator[None]:
    """What a run says of warm-ups and of its processes is drawn as it was saved, if it can be."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise RunError(f"{folder}: {RUN} or {SUMMARY} is damaged (what it says cannot be shown: {error})") from None


def _check(latency_from: str | None, slo_ms: float | None, confidence: float | None) -> None:
    if latency_from is not None and latency_from not in LATENCIES:
        raise RunError(f"latency_from {latency_from!r:.40}: is {' or '.join(LATENCIES)}")
    if slo_ms is not None and not 0 < slo_ms < 1e12:
        raise RunError(f"slo_ms {slo_ms:g}: is above 0, and below 1e12")
    if confidence is not None and not 0.5 <= confidence <= 0.9999:
        raise RunError(f"confidence {confidence:g}: is between 0.5 and 0.9999")
