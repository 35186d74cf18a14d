"""A text chart: one row per rate, the value as a mark and its confidence interval as a line."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from collector.sweeps.point import Estimate

WIDTH = 48  # characters


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear or logarithmic axis from `low` to `high`."""

    low: float
    high: float
    log: bool

    def column(self, value: float) -> int:
        """Return the column of a value, 0 to WIDTH - 1."""
        low, high, at = (
            (math.log(v) for v in (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        )
        share = (at - low) / (high - low) if high > low else 0.0
        return round(min(max(share, 0.0), 1.0) * (WIDTH - 1))


def scale_of(figures: Sequence[Estimate], *, log: bool) -> Scale | None:
    """Return the scale that holds all values and intervals, from 0 unless `log`; None without values."""
    values = [v for figure in figures for v in (figure["value"], *(figure["ci"] or ())) if v is not None]
    values = [value for value in values if value > 0] if log else values
    if not values:
        return None
    return Scale(min(values) if log else 0.0, max(values), log)


def row(figure: Estimate, scale: Scale) -> str:
    """Return a row such as `|---*----|`, with > for an infinite upper end; empty where the value is unknown."""
    if figure["value"] is None or (scale.log and figure["value"] <= 0):
        return ""
    cells = [" "] * WIDTH
    low, high = figure["ci"] or (None, None)
    if low is not None:
        last = WIDTH - 1 if high is None else scale.column(high)
        first = scale.column(max(low, scale.low))
        cells[first : last + 1] = "-" * (last + 1 - first)
        cells[first], cells[last] = "|", ">" if high is None else "|"
    cells[scale.column(figure["value"])] = "*"
    return "".join(cells).rstrip()
