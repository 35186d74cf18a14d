"""A plot as data, ready to be drawn by page.js."""

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
    """One series: a value for each `x` of the plot, nan where there is none.

    `low` and `high` are its interval, empty if none. `color` is a CSS variable of page.css.
    """

    label: str
    color: Color
    style: Style
    values: Values
    low: Values
    high: Values


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot; `kind` is the meaning of `x`.

    time: seconds from time zero; rate: requested requests/s; share: a cumulative share, drawn on the vertical axis.
    `end_s` is the end of the time axis, the same for all plots of a run; `unit` is the unit of the values.
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
    """Make a line, rounded to four significant digits."""
    low, high = ends or (np.empty(0), np.empty(0))
    return Line(label, color, style, significant(values), significant(low), significant(high))


def significant(values: Values, digits: int = 4) -> Values:
    """Round to `digits` significant digits; nan stays nan."""
    size = np.where(np.isfinite(values) & (values != 0), np.abs(values), 1.0)
    scale = 10.0 ** (digits - 1 - np.floor(np.log10(size)))
    rounded: Values = np.round(values * scale) / scale
    return rounded


def scatter(x: Values, groups: list[NDArray[np.int64]], y: Values) -> tuple[Values, list[Values]]:
    """Merge groups of indices into `x` and `y` onto one ascending x; return it and each group's y, else nan."""
    indices = np.concatenate(groups) if groups else np.empty(0, np.int64)
    group = np.repeat(np.arange(len(groups)), [len(own) for own in groups])
    order = np.argsort(x[indices], kind="stable")
    indices, group = indices[order], group[order]
    return x[indices], [np.where(group == own, y[indices], np.nan) for own in range(len(groups))]
