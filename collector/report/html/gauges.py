"""The server metrics on the page: plots of the gauges that changed, and a table of all series that changed."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.report.html.downsampling import downsample_steps
from collector.report.html.markup import Cell, note, table
from collector.report.html.plot import Color, Plot, Unit, Values, line, significant
from collector.report.html.plots import COLUMNS, LOG_RATIO, Figure
from collector.report.terminal import server_metrics
from collector.saved.metrics_series import Moved
from collector.text import quantity

MAX_PLOTS, MAX_LINES = 4, 3
MAX_ROWS: Final = 40
COLORS: Final[tuple[Color, ...]] = ("service", "wait", "lag")
_SHARES: Final = re.compile(r"perc|util|usage|ratio|fraction|share")


@dataclass(slots=True)
class _Group:
    """Gauges that share a plot: of one page and unit, and of similar magnitude."""

    page: int
    share: bool
    high: float
    members: list[tuple[str, Moved]] = field(default_factory=list)

    def takes(self, one: Moved, share: bool, high: float) -> bool:
        alike = (one.page, share) == (self.page, self.share) and len(self.members) < MAX_LINES
        return alike and max(high, self.high) <= LOG_RATIO * min(high, self.high)


def gauges(found: Sequence[Moved], labels: Sequence[str], end_s: float) -> list[Figure]:
    """Plot the gauges that changed, in order of importance, up to MAX_PLOTS plots."""
    groups: list[_Group] = []
    for one, label in zip(found, labels, strict=True):
        during = one.values[_during(one, end_s)]
        if one.kind != "gauge" or not np.any(np.isfinite(during)):
            continue
        high = float(np.nanmax(np.abs(during)))
        share = bool(_SHARES.search(one.name)) and float(np.nanmin(during)) >= 0 and high <= 1
        group = next((group for group in groups if group.takes(one, share, high)), None)
        if group is None:
            group = _Group(one.page, share, high)
            groups.append(group)
        group.members.append((label, one))
    return [_plot(number, group, end_s) for number, group in enumerate(groups[:MAX_PLOTS])]


def _plot(number: int, group: _Group, end_s: float) -> Figure:
    first = group.members[0][1]
    during = _during(first, end_s)
    x = first.at_s[during]
    values = [one.values[during] for _, one in group.members]
    kept = np.unique(np.concatenate([_kept(x, own) for own in values]))
    lines = tuple(
        line(label, color, "steps", own[kept])
        for (label, _), own, color in zip(group.members, values, COLORS, strict=False)
    )
    unit: Unit = "share" if group.share else "figure"
    plot = Plot(f"gauges_{number}", "server gauges", "time", unit, False, end_s, significant(x[kept], 6), lines)
    return Figure(
        plot, f"{int(during.sum()):,} scrapes of page {group.page + 1}; each value holds until the next scrape."
    )


def _during(one: Moved, end_s: float) -> NDArray[np.bool_]:
    during: NDArray[np.bool_] = (one.at_s >= 0) & (one.at_s <= end_s)
    return during


def _kept(x: Values, values: Values) -> NDArray[np.int64]:
    """Downsample a line; keep the points where its gaps begin and end."""
    missing = np.isnan(values)
    breaks = np.flatnonzero(np.diff(missing, prepend=False))
    column = np.floor(x[breaks] / max(float(x[-1]), 1e-9) * COLUMNS)
    first_of_each = breaks[np.flatnonzero(np.diff(column, prepend=-1.0))]
    filled = np.where(missing, 0.0 if missing.all() else np.nanmin(values), values)
    return np.union1d(downsample_steps(x, filled, COLUMNS), first_of_each)


def summary_table(result: Mapping[str, Any]) -> str:
    """The scrape warnings and a table of the series that changed; empty without `--server-metrics`."""
    found = result.get("server_metrics")
    if found is None:
        return ""
    warnings = "".join(note(f"Warning: {text}.") for text in server_metrics.warnings(found))
    moved = found["changed"]
    if not moved:
        return warnings + note(f"None of {found['unchanged']} series changed.")
    keys = ("min", "mean", "max")
    rows = ([Cell(one["name"]), *(_cell(one, key) for key in keys)] for one in moved[:MAX_ROWS])
    more = f"{len(moved) - MAX_ROWS} more series that changed are in the JSON." if len(moved) > MAX_ROWS else ""
    caption = "Series that changed from time zero to the last answer; counters as rates per second"
    return warnings + table(caption, [Cell("series", number=False), *map(Cell, keys)], rows) + note(more)


def _cell(one: Mapping[str, Any], key: str) -> Cell:
    unit = "/s" if one["kind"] == "counter" and one[key] is not None else ""
    return Cell(quantity.figure(one[key]) + unit)
