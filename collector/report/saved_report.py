"""The report of a saved run, computed again, with other settings if wanted."""

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
from collector.report.terminal import percentile_table
from collector.report.terminal.percentile_table import Percentiles
from collector.saved import export, metrics_series
from collector.saved.run_folder import RUN, SUMMARY, SavedRun, read_run
from collector.summary import times as clock
from collector.summary.result import Result
from collector.summary.run_info import RunInfo
from collector.summary.summary import summarise

LATENCIES: Final = ("scheduled", "sent")


@dataclass(frozen=True, slots=True)
class Report:
    """A saved run, its run info with the settings applied, and `result`, the JSON report."""

    saved: SavedRun
    info: RunInfo
    result: Result

    def page(self) -> bytes:
        """Return the report as one self-contained HTML file in UTF-8."""
        with damage_reported(self.saved.folder):
            return html_page(self.result, self.saved, self.info)

    def percentiles(self, shares: Mapping[str, float]) -> Percentiles:
        """Return more percentiles and their intervals in seconds; `shares` is {name: fraction}, {"99.5": 0.995}."""
        times = clock.of_run(clock.first_records(self.saved.records, self.info.planned), self.info)
        return percentile_table.compute(times, shares, self.info.confidence)

    def export(self, file_format: str, path: Path) -> int:
        """Write one row per planned request to a new csv, jsonl or parquet file; return the number of rows."""
        return export.write(self.saved, self.info, file_format, path)


def report(
    folder: str | Path,
    *,
    latency_from: str | None = None,
    slo_ms: float | None = None,
    confidence: float | None = None,
) -> Report:
    """Report a folder of `--run-dir`; None keeps the setting of the run.

    `latency_from` is "scheduled" or "sent", `slo_ms` a target for every request, `confidence` that of every interval
    (0.5 to 0.9999). Raises RunError, for a folder that cannot be read or a setting out of range.
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
    """Compute the result of a saved run; `slo` replaces the run's description of its SLO targets."""
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
        endpoint=str(run.get("endpoint", "")),
        model=str(run.get("model", "")),
        dataset=str(run.get("dataset", "")),
        task=str(run.get("task", "")),
        remarks=run.get("remarks", ()),
        bot_task=run.get("bot_task"),
        num_outputs_per_prompt=run.get("num_outputs_per_prompt", 1),
    )


def html_page(result: Result, saved: SavedRun, info: RunInfo) -> bytes:
    """Return the HTML page of a result and the saved records it was computed from."""
    changed = metrics_series.moved(saved.scrapes, info.started_ns)
    return page(result, Series.of_run(saved.records, info, info.stalls), changed)


@contextmanager
def damage_reported(folder: Path) -> Iterator[None]:
    """Raise RunError where a damaged file holds metadata that cannot be shown."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise RunError(f"{folder}: {RUN} or {SUMMARY} is damaged (its content cannot be shown: {error})") from None


def _check(latency_from: str | None, slo_ms: float | None, confidence: float | None) -> None:
    if latency_from is not None and latency_from not in LATENCIES:
        raise RunError(f"latency_from {latency_from!r:.40}: must be {' or '.join(LATENCIES)}")
    if slo_ms is not None and not 0 < slo_ms < 1e12:
        raise RunError(f"slo_ms {slo_ms:g}: must be above 0 and below 1e12")
    if confidence is not None and not 0.5 <= confidence <= 0.9999:
        raise RunError(f"confidence {confidence:g}: must be between 0.5 and 0.9999")
