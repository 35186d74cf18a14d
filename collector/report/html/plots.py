"""The plots over time: rates, latency, requests in flight, lag and timer stalls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collector.report.html.downsampling import downsample_points, downsample_steps
from collector.report.html.plot import Color, Line, Plot, Style, line, scatter, significant
from collector.report.html.series import Seconds, Series
from collector.text import quantity

FLOOR_S = 1e-7  # smaller values are drawn here, as a logarithmic axis has no zero
BINS, BIN_REQUESTS = 60, 25  # maximum bins of a rate, and minimum requests per bin
MAX_POINTS = 4000  # per group
COLUMNS = 600  # horizontal resolution of a line
LOG_RATIO = 20.0  # max/min ratio above which an axis is logarithmic


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot and its caption."""

    plot: Plot
    note: str


def rates(series: Series) -> Figure:
    """Planned, sent and succeeded requests per second, in bins of equal length."""
    bins = max(1, min(BINS, series.sent // BIN_REQUESTS))
    width_s = series.end_s / bins
    done_s = series.done_s[series.ok]
    lines = [
        _rate("sent", "response", "steps", series.sent_s, bins, width_s),
        _rate("succeeded", "good", "steps", done_s, bins, width_s),
    ]
    if not series.closed_loop:  # where every request is scheduled at time zero
        lines.insert(0, _rate("planned", "quiet", "area", series.planned_s, bins, width_s))
    x = np.arange(bins + 1, dtype=np.float64) * width_s
    counted = "one bin" if bins == 1 else f"{bins} bins"
    note = f"Requests per second in {counted} of {quantity.seconds(width_s)}; the last bin of the plan may be partial."
    return Figure(Plot("rates", "requests per second", "time", "1/s", False, series.end_s, x, tuple(lines)), note)


def _rate(label: str, color: Color, style: Style, at_s: Seconds, bins: int, width_s: float) -> Line:
    place = np.clip(at_s / width_s, 0, bins - 1).astype(np.int64)
    per_s = np.bincount(place, minlength=bins) / width_s
    return line(label, color, style, _held(per_s.tolist()))


def latency(series: Series, targets: bool) -> Figure:
    """Latency of each request at its start, by outcome: met the SLO, missed it, failed."""
    x, y = series.begun_s, np.maximum(series.latency_s, FLOOR_S)
    log = bool(len(y)) and float(y.max()) > LOG_RATIO * float(y.min())
    groups = [np.flatnonzero(series.ok & ~series.missed), np.flatnonzero(series.missed), np.flatnonzero(~series.ok)]
    kept = [_downsample(x, y, own, log) for own in groups]
    at, values = scatter(x, kept, y)
    groups_style: tuple[tuple[str, Color, Style], ...] = (
        ("met the SLO or has none" if targets else "succeeded", "response", "dots"),
        ("missed the SLO", "bad", "marks"),
        ("failed", "failed", "rings"),
    )
    lines = [
        line(f"{name}: {len(own):,}", color, style, held)
        for (name, color, style), own, held in zip(groups_style, groups, values, strict=True)
        if len(own) or name == "succeeded"
    ]
    name = "response" if series.latency_from == "scheduled" else "service"
    label = f"{name}{', logarithmic' if log else ''}"
    return Figure(
        Plot("latency", label, "time", "s", log, series.end_s, significant(at, 6), tuple(lines)),
        _downsampled(sum(map(len, kept)), series.sent),
    )


def _downsample(x: Seconds, y: Seconds, indices: NDArray[np.int64], log: bool) -> NDArray[np.int64]:
    height = np.log10(y[indices]) if log else y[indices]
    kept: NDArray[np.int64] = indices[downsample_points(x[indices], height, MAX_POINTS)]
    return kept


def _downsampled(shown: int, total: int) -> str:
    if shown == total:
        return "All points are shown."
    return f"{shown:,} of {total:,} points are shown (downsampled; extremes are kept)."


def attained(series: Series, intervals: Sequence[Mapping[str, Any]]) -> Figure:
    """SLO attainment of the requests due in each time interval of the result, with its confidence interval."""
    first_s, last_s = intervals[0]["from_s"], intervals[-1]["to_s"]
    edges = [interval["from_s"] for interval in intervals] + [last_s if last_s > first_s else series.end_s]
    shares = [interval["attainment"] for interval in intervals]
    ends = [interval["ci"] or (None, None) for interval in intervals]
    share, low, high = (_held(values) for values in (shares, [end[0] for end in ends], [end[1] for end in ends]))
    lines = (line("SLO met", "good", "steps", share, (low, high)),)
    x = np.array(edges, dtype=np.float64)
    plot = Plot("attained", "SLO attainment", "time", "share", False, series.end_s, x, lines)
    without = sum(interval["ci"] is None for interval in intervals)
    lacking = f"; {without} of the {len(intervals)} time intervals are too small for a CI" if without else ""
    targets = sum(interval["requests"] for interval in intervals)
    return Figure(plot, f"Of {targets:,} with a target; {quantity.share(series.confidence)} CI each{lacking}.")


def _held(values: list[float | None]) -> Seconds:
    """Return step values, nan for None; the last one is repeated for the end of its step."""
    return np.array([*values, values[-1]], dtype=np.float64)


def in_flight(series: Series) -> Figure:
    """Requests in flight over time; of simultaneous events, completions count first."""
    at_s = np.concatenate([series.done_s, series.sent_s])
    change = np.repeat([-1, 1], series.sent)
    order = np.argsort(at_s, kind="stable")
    at_s, level = at_s[order], np.cumsum(change[order]).astype(np.float64)
    kept = downsample_steps(at_s, level, COLUMNS)
    x, y = at_s[kept], level[kept]
    lines = [line("in flight", "response", "area", y)]
    budget = series.max_concurrency
    if len(level) and budget <= 2 * level.max():
        lines.append(line(f"budget: {budget:,}", "bad", "dashed", np.full(len(x), float(budget))))
    note = f"The budget is {budget:,}."
    plot = Plot(
        "in_flight", "requests in flight", "time", "requests", False, series.end_s, significant(x, 6), tuple(lines)
    )
    return Figure(plot, note)


def lag(series: Series) -> Figure:
    """Lag of each request at its send time, and timer stalls of the machine."""
    during = (series.stall_at_s >= 0) & (series.stall_at_s <= series.end_s)
    x = np.concatenate([series.sent_s, series.stall_at_s[during]])
    y = np.maximum(np.concatenate([series.lag_s, series.stall_late_s[during]]), FLOOR_S)
    groups = [np.arange(series.sent), np.arange(series.sent, len(x))]
    kept = [_downsample(x, y, own, True) for own in groups]
    at, (late, stalls) = scatter(x, kept, y)
    lines = [
        line(f"lag: {series.sent:,}", "lag", "dots", late),
        line(f"machine stall: {len(groups[1]):,}", "bad", "rings", stalls),
    ]
    plot = Plot("lag", "lag, logarithmic", "time", "s", True, series.end_s, significant(at, 6), tuple(lines))
    below = int(np.sum(series.lag_s < FLOOR_S))
    floor = f" {below:,} requests below {quantity.seconds(FLOOR_S)} are shown there."
    return Figure(plot, _downsampled(sum(map(len, kept)), len(x)) + (floor if below else ""))
