"""A plot as data: what page.js draws, and nothing that it would have to compute."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Style = Literal["line", "steps", "area", "dashed", "dots", "marks", "rings"]
Unit = Literal["s", "1/s", "requests", "share", "figure"]
Color = Literal["response", "service", "wait", "lag", "good", "bad", "failed", "quiet"]


@dataclass(frozen=True, slots=True)
class Line:
    """One series: its values stand at the plot's `x`, nan where it has none.

    `low` and `high` are the ends of its interval, empty where it has none. `color` is a CSS variable of page.css.
    """

    label: str
    color: Color
    style: Style
    values: Values
    low: Values
    high: Values


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot, of a kind: where its x is, and what.

    time has seconds from time zero on its x axis, rate asked requests/s, share has x, a share, on its vertical axis.
    `end_s` is the end of the time axis, the same for all plots of a run; `unit` is that of the values.
    """

    name: str
    label: str
    kind: Literal["time", "share", "rate"]
    unit: Unit
    log: bool
    end_s: float
    x: Values
    lines: tuple[Line, ...]


def line(
    label: str,
    color: Color,
    style: Style,
    values: Values,
    ends: tuple[Values, Values] | None = None,
) -> Line:
    """Make a line, its numbers cut to what a screen can show."""
    low, high = ends or (np.empty(0), np.empty(0))
    return Line(label, color, style, significant(values), significant(low), significant(high))


def significant(values: Values, digits: int = 4) -> Values:
    """Round to so many significant digits; nan stays."""
    size = np.where(np.isfinite(values) & (values != 0), np.abs(values), 1.0)
    scale = 10.0 ** (digits - 1 - np.floor(np.log10(size)))
    rounded: Values = np.round(values * scale) / scale
    return rounded


def scatter(x: Values, groups: list[NDArray[np.int64]], y: Values) -> tuple[Values, list[Values]]:
    """Put groups of points, each given by places in `x` and `y`, on one ascending x: nan where a point is another's."""
    places = np.concatenate(groups) if groups else np.empty(0, np.int64)
    group = np.repeat(np.arange(len(groups)), [len(own) for own in groups])
    order = np.argsort(x[places], kind="stable")
    places, group = places[order], group[order]
    return x[places], [np.where(group == own, y[places], np.nan) for own in range(len(groups))]
