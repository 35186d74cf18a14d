"""A chart in characters: a row a rate, its figure as a mark and its interval as a line."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from collector.sweeps.point import Estimate

WIDTH = 48  # characters


@dataclass(frozen=True, slots=True)
class Scale:
    """Where a value stands between `low` and `high`, of which the logarithms count where `log`."""

    low: float
    high: float
    log: bool

    def place(self, value: float) -> int:
        """Column from 0 to WIDTH - 1."""
        low, high, at = (
            (math.log(v) for v in (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        )
        share = (at - low) / (high - low) if high > low else 0.0
        return round(min(max(share, 0.0), 1.0) * (WIDTH - 1))


def scale_of(figures: Sequence[Estimate], *, log: bool) -> Scale | None:
    """Make a scale that all figures and the ends of their intervals fit in; from 0 unless `log`. None for no figure."""
    values = [v for figure in figures for v in (figure["value"], *(figure["ci"] or ())) if v is not None]
    values = [value for value in values if value > 0] if log else values
    if not values:
        return None
    return Scale(min(values) if log else 0.0, max(values), log)


def row(figure: Estimate, scale: Scale) -> str:
    """Draw one: `|---*----|`, an arrow where the upper end is infinite; empty where the figure is not known."""
    if figure["value"] is None or (scale.log and figure["value"] <= 0):
        return ""
    cells = [" "] * WIDTH
    low, high = figure["ci"] or (None, None)
    if low is not None:
        last = WIDTH - 1 if high is None else scale.place(high)
        first = scale.place(max(low, scale.low))
        cells[first : last + 1] = "-" * (last + 1 - first)
        cells[first], cells[last] = "|", ">" if high is None else "|"
    cells[scale.place(figure["value"])] = "*"
    return "".join(cells).rstrip()
