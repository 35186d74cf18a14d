"""The HTML page of a sweep: the knee, the figures against the rate with their intervals, and a table."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from collector.report.html.document import document
from collector.report.html.markup import Cell, info, note, section, table, text, verdict_title
from collector.report.html.plot import Color, Line, Plot, Unit, Values, line
from collector.report.terminal.sweep import FIGURES, Name, ends
from collector.sweeps.point import Estimate, Point
from collector.text import quantity

_COLORS: Mapping[Name, Color] = {"attainment": "response", "p50": "service", "p99": "response", "throughput": "good"}
_PLOTS: tuple[tuple[str, str, Unit, tuple[Name, ...]], ...] = (
    ("attainment", "SLO met", "share", ("attainment",)),
    ("latency", "latency, logarithmic", "s", ("p50", "p99")),
    ("throughput", "succeeded", "1/s", ("throughput",)),
)


def page(sweep: Mapping[str, Any]) -> bytes:
    """Return a sweep as one self-contained HTML file in UTF-8."""
    points: Sequence[Point] = sweep["points"]
    candidates = [_plot(points, sweep["knee"]["rate"], *each) for each in _PLOTS]
    plots = [plot for plot in candidates if plot.lines]
    rate = sweep["knee"]["rate"]
    state = "no knee found" if rate is None else f"knee at {quantity.rate(rate)}"
    bands = f"Bands: {quantity.share(sweep['confidence'])} CI of each figure; none where n is too small."
    figures = "".join(section(plot.label[:1].upper() + plot.label[1:], _figure(plot, bands)) for plot in plots)
    remarks = "".join(note(f"Note: {text}.") for text in sweep.get("remarks", ()))
    parts = (
        section(state.capitalize(), note(sweep["knee"]["note"]), remarks, _table(points, rate)),
        figures,
        section("Configuration", f'<div class="facts">{info("config", sweep["config"])}</div>'),
    )
    target = sweep["config"]["target"]
    names = (target["model"], sweep["config"]["data"]["task"], sweep["config"]["data"]["dataset"])
    title = f"{', '.join(filter(None, names))}: a sweep"  # without those that the server decides
    return document(title, state, "".join(parts), plots).encode(errors="replace")


def _plot(
    points: Sequence[Point], knee: float | None, name: str, label: str, unit: Unit, figures: Sequence[Name]
) -> Plot:
    x = np.array([point["rate"] for point in points])
    known = [figure for figure in figures if any(point[figure]["value"] for point in points)]
    lines = tuple(_line(points, figure) for figure in known)
    if knee is not None and known:
        lines += (line("knee", "bad", "rings", np.where(x == knee, lines[0].values, np.nan)),)
    return Plot(name, label, "rate", unit, unit == "s", float(x[-1]) if len(x) else 0.0, x, lines)


def _line(points: Sequence[Point], name: Name) -> Line:
    figures = [point[name] for point in points]
    low, high = (_values([(one["ci"] or (None, None))[side] for one in figures]) for side in (0, 1))
    label = next(label for figure, label, _, _ in FIGURES if figure == name)
    return line(label, _COLORS[name], "line", _values([one["value"] for one in figures]), (low, high))


def _values(found: Sequence[float | None]) -> Values:
    return np.array([np.nan if value is None else value for value in found], np.float64)


def _figure(plot: Plot, label: str) -> str:
    place = (
        f'<div class="plot" id="{text(plot.name)}" data-label="{text(f"{plot.label} against the asked rate")}"></div>'
    )
    return f"<figure>{place}<figcaption>{text(label)}</figcaption></figure>"


def _table(points: Sequence[Point], knee: float | None) -> str:
    head = [Cell("asked", number=False), Cell("verdict", number=False), Cell("requests"), Cell("failed")]
    head += [Cell(label) for _, label, _, _ in FIGURES]
    rows: list[list[Cell | str]] = []
    for point in points:
        mark = "knee" if point["rate"] == knee else ""
        row: list[Cell | str] = [Cell(quantity.rate(point["rate"]), mark), _verdict(point)]
        row += [Cell(f"{point[count]:,}") for count in ("requests", "failed")]
        rows.append([*row, *(_cell(point[name], write) for name, _, write, _ in FIGURES)])
    return table("Each rate", head, rows)


def _verdict(point: Point) -> str:
    title = verdict_title(point["state"], point["failed"], point["sent"], point["request_errors"])
    return f'<td class="text">{title}<small>{text(" ".join(point["reasons"]))}</small></td>'


def _cell(figure: Estimate, write: Callable[[float | None], str]) -> Cell:
    return Cell(write(figure["value"]), ends(figure, write) if figure["ci"] else "")
