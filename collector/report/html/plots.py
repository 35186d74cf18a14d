"""The plots over time: rates, latency, requests in flight, lag beside the machine's hiccups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collector.report.html.plot import Color, Line, Plot, Style, line, scatter, significant
from collector.report.html.series import Seconds, Series
from collector.report.html.thinning import scattered, stepped
from collector.text import quantity

FLOOR_S = 1e-7  # a logarithmic axis has no zero: what is less is drawn here
BINS, BIN_REQUESTS = 60, 25  # most bins of a rate, and requests in one below which a rate is mostly noise
MOST = 4000  # points of one kind on a plot
COLUMNS = 600  # of a line
DECADES = 20.0  # ratio of the highest to the lowest from which on a logarithmic axis shows more


@dataclass(frozen=True, slots=True)
class Drawn:
    """A plot and what has to be said of it."""

    plot: Plot
    note: str


def rates(series: Series) -> Drawn:
    """Planned, sent and succeeded requests per second, in bins of equal length."""
    bins = max(1, min(BINS, series.sent // BIN_REQUESTS))
    width_s = series.end_s / bins
    done_s = series.done_s[series.ok]
    lines = [
        _rate("sent", "response", "steps", series.sent_s, bins, width_s),
        _rate("succeeded", "good", "steps", done_s, bins, width_s),
    ]
    if not series.closed_loop:  # which plans everything for time zero
        lines.insert(0, _rate("planned", "quiet", "area", series.planned_s, bins, width_s))
    x = np.arange(bins + 1, dtype=np.float64) * width_s
    counted = "one bin" if bins == 1 else f"{bins} bins"
    note = (
        f"Requests per second in {counted} of {quantity.seconds(width_s)}; the bin in which the plan ends is not full."
    )
    return Drawn(Plot("rates", "requests per second", "time", "1/s", False, series.end_s, x, tuple(lines)), note)


def _rate(label: str, color: Color, style: Style, at_s: Seconds, bins: int, width_s: float) -> Line:
    place = np.clip(at_s / width_s, 0, bins - 1).astype(np.int64)
    per_s = np.bincount(place, minlength=bins) / width_s
    return line(label, color, style, _held(per_s.tolist()))


def latency(series: Series, targets: bool) -> Drawn:
    """Latency of each request where it began: what met its target, what missed it, what failed."""
    x, y = series.begun_s, np.maximum(series.latency_s, FLOOR_S)
    log = bool(len(y)) and float(y.max()) > DECADES * float(y.min())
    groups = [np.flatnonzero(series.ok & ~series.missed), np.flatnonzero(series.missed), np.flatnonzero(~series.ok)]
    kept = [_thin(x, y, own, log) for own in groups]
    at, values = scatter(x, kept, y)
    looks: tuple[tuple[str, Color, Style], ...] = (
        ("met its SLO, or has none" if targets else "succeeded", "response", "dots"),
        ("succeeded, missed its SLO", "bad", "marks"),
        ("failed", "failed", "rings"),
    )
    lines = [
        line(f"{name}: {len(own):,}", color, style, held)
        for (name, color, style), own, held in zip(looks, groups, values, strict=True)
        if len(own) or name == "succeeded"
    ]
    name = "response" if series.latency_from == "scheduled" else "service"
    label = f"{name}{', logarithmic' if log else ''}"
    return Drawn(
        Plot("latency", label, "time", "s", log, series.end_s, significant(at, 6), tuple(lines)),
        _thinned(sum(map(len, kept)), series.sent),
    )


def _thin(x: Seconds, y: Seconds, places: NDArray[np.int64], log: bool) -> NDArray[np.int64]:
    height = np.log10(y[places]) if log else y[places]
    kept: NDArray[np.int64] = places[scattered(x[places], height, MOST)]
    return kept


def _thinned(drawn: int, whole: int) -> str:
    if drawn == whole:
        return "All of them are drawn."
    return f"{drawn:,} of {whole:,} are drawn: one of each small area and kind, and all extremes."


def attained(series: Series, stretches: Sequence[Mapping[str, Any]]) -> Drawn:
    """Share of the requests due in each of the result's stretches of time that met their target, with its interval."""
    first_s, last_s = stretches[0]["from_s"], stretches[-1]["to_s"]
    edges = [stretch["from_s"] for stretch in stretches] + [last_s if last_s > first_s else series.end_s]
    shares = [stretch["attainment"] for stretch in stretches]
    ends = [stretch["ci"] or (None, None) for stretch in stretches]
    share, low, high = (_held(values) for values in (shares, [end[0] for end in ends], [end[1] for end in ends]))
    lines = (line("SLO met", "good", "steps", share, (low, high)),)
    x = np.array(edges, dtype=np.float64)
    plot = Plot("attained", "share that met its SLO", "time", "share", False, series.end_s, x, lines)
    without = sum(stretch["ci"] is None for stretch in stretches)
    lacking = f"; {without} of the {len(stretches)} stretches have too few for an interval" if without else ""
    targets = sum(stretch["requests"] for stretch in stretches)
    return Drawn(plot, f"Of {targets:,} with a target, {quantity.share(series.confidence)} sure each{lacking}.")


def _held(values: list[float | None]) -> Seconds:
    """Values of steps, nan where there is none, the last one held until the last step ends."""
    return np.array([*values, values[-1]], dtype=np.float64)


def in_flight(series: Series) -> Drawn:
    """How many requests were in flight, instant by instant; one that ends as another starts makes room for it first."""
    at_s = np.concatenate([series.done_s, series.sent_s])
    change = np.repeat([-1, 1], series.sent)
    order = np.argsort(at_s, kind="stable")
    at_s, level = at_s[order], np.cumsum(change[order]).astype(np.float64)
    kept = stepped(at_s, level, COLUMNS)
    x, y = at_s[kept], level[kept]
    lines = [line("in flight", "response", "area", y)]
    budget = series.max_concurrency
    if len(level) and budget <= 2 * level.max():
        lines.append(line(f"budget: {budget:,}", "bad", "dashed", np.full(len(x), float(budget))))
    note = f"The budget is {budget:,}."
    plot = Plot(
        "in_flight", "requests in flight", "time", "requests", False, series.end_s, significant(x, 6), tuple(lines)
    )
    return Drawn(plot, note)


def lag(series: Series) -> Drawn:
    """Lag of each request when it was sent, and the machine's late wake-ups when they were due."""
    during = (series.stall_at_s >= 0) & (series.stall_at_s <= series.end_s)
    x = np.concatenate([series.sent_s, series.stall_at_s[during]])
    y = np.maximum(np.concatenate([series.lag_s, series.stall_late_s[during]]), FLOOR_S)
    groups = [np.arange(series.sent), np.arange(series.sent, len(x))]
    kept = [_thin(x, y, own, True) for own in groups]
    at, (late, stalls) = scatter(x, kept, y)
    lines = [
        line(f"lag: {series.sent:,}", "lag", "dots", late),
        line(f"hiccup of the machine: {len(groups[1]):,}", "bad", "rings", stalls),
    ]
    plot = Plot("lag", "late by, logarithmic", "time", "s", True, series.end_s, significant(at, 6), tuple(lines))
    below = int(np.sum(series.lag_s < FLOOR_S))
    floor = f" Less than {quantity.seconds(FLOOR_S)} ({below:,} requests) stands at {quantity.seconds(FLOOR_S)}."
    return Drawn(plot, _thinned(sum(map(len, kept)), len(x)) + (floor if below else ""))
