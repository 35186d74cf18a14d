"""The distributions of response, service, wait and lag, with an interval at every share."""

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from collector.report.html.plot import Line, Plot, line
from collector.report.html.plots import FLOOR_S, Drawn
from collector.report.html.series import Seconds, Series
from collector.statistics.intervals import quantile_ranks
from collector.text import quantity

TimeName = Literal["response", "service", "wait", "lag"]
TIMES: tuple[TimeName, ...] = ("response", "service", "wait", "lag")
GRID = np.unique(np.concatenate([np.arange(1, 200) / 200, 1 - np.geomspace(0.005, 0.00001, 40)]))


def distribution(series: Series, result: Mapping[str, Any]) -> Drawn:
    """Draw each kind of time as its quantiles, by rank ceil(p n), over those that `result` has its percentiles of.

    The interval at a share is that of the percentile there: binomial ranks in effective observations.
    """
    parts: dict[TimeName, tuple[Seconds, int]] = {
        "response": (series.response_s[series.ok], series.endless),
        "service": (series.service_s[series.ok], series.endless),
        "wait": (series.wait_s, 0),
        "lag": (series.lag_s, 0),
    }
    drawn = {name: part for name, part in parts.items() if len(part[0]) and part[0].max() > FLOOR_S}
    lines = tuple(_line(name, *part, result[name], series.confidence) for name, part in drawn.items())
    plot = Plot("distribution", "share of requests", "share", "s", True, series.end_s, GRID, lines)
    return Drawn(plot, " ".join(_notes(parts, drawn, result, series.confidence)))


def _line(name: TimeName, part_s: Seconds, endless: int, spread: Mapping[str, Any], confidence: float) -> Line:
    ordered, n = np.maximum(np.sort(part_s), FLOOR_S), len(part_s) + endless
    effective = 0 if spread["no_interval"] else int(spread["n_effective"])
    ends = [_ends(p, n, effective, confidence) for p in GRID.tolist()]
    low, high = (_at_ranks(ordered, np.array([end[side] for end in ends])) for side in (0, 1))
    return line(
        name, name, "dashed" if name == "service" else "line", _at_ranks(ordered, np.ceil(GRID * n - 1e-9)), (low, high)
    )


def _ends(p: float, n: int, effective: int, confidence: float) -> tuple[float, float]:
    """Ranks among n values between which the quantile lies; nan where there are too few."""
    ranks = quantile_ranks(p, effective, confidence) if effective else None
    if ranks is None:
        return math.nan, math.nan
    return max(1, math.floor(ranks[0] * n / effective)), min(n, math.ceil(ranks[1] * n / effective))


def _at_ranks(ordered: Seconds, ranks: NDArray[np.float64]) -> Seconds:
    """Values at ranks from 1; nan where the rank is, or where it falls among those that never ended."""
    known = np.isfinite(ranks) & (ranks <= len(ordered))
    values = np.full(len(ranks), np.nan)
    values[known] = ordered[np.maximum(ranks[known].astype(np.int64), 1) - 1]
    return values


def _notes(
    parts: Mapping[TimeName, Any], drawn: Mapping[TimeName, Any], result: Mapping[str, Any], confidence: float
) -> list[str]:
    bands = (
        f"Bands: at each share the interval of that percentile, {quantity.share(confidence)} sure for each by itself,"
    )
    notes = [f"{bands} from binomial ranks in effective observations; no band where there are too few."]
    notes += [
        f"{name} is not drawn: it was 0 for all {len(part[0]):,}."
        for name, part in parts.items()
        if name not in drawn and len(part[0])
    ]
    notes += [f"No band for {name}: {result[name]['no_interval']}." for name in drawn if result[name]["no_interval"]]
    return notes
