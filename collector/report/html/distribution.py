"""The plot of the quantiles of response, service, wait and lag, with confidence bands."""

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from collector.report.html.plot import Line, Plot, line
from collector.report.html.plots import FLOOR_S, Figure
from collector.report.html.series import Seconds, Series
from collector.statistics.intervals import quantile_ranks
from collector.text import quantity

TimeName = Literal["response", "service", "wait", "lag"]
TIMES: tuple[TimeName, ...] = ("response", "service", "wait", "lag")
GRID = np.unique(np.concatenate([np.arange(1, 200) / 200, 1 - np.geomspace(0.005, 0.00001, 40)]))


def distribution(series: Series, result: Mapping[str, Any]) -> Figure:
    """Plot the quantiles (rank ceil(p n)) of each kind of time, over the same requests as the percentiles in `result`.

    The band is the interval of each percentile: binomial ranks in effective observations.
    """
    parts: dict[TimeName, tuple[Seconds, int]] = {
        "response": (series.response_s[series.ok], series.endless),
        "service": (series.service_s[series.ok], series.endless),
        "wait": (series.wait_s, 0),
        "lag": (series.lag_s, 0),
    }
    plotted = {name: part for name, part in parts.items() if len(part[0]) and part[0].max() > FLOOR_S}
    lines = tuple(_line(name, *part, result[name], series.confidence) for name, part in plotted.items())
    plot = Plot("distribution", "share of requests", "share", "s", True, series.end_s, GRID, lines)
    return Figure(plot, " ".join(_notes(parts, plotted, result, series.confidence)))


def _line(name: TimeName, part_s: Seconds, endless: int, spread: Mapping[str, Any], confidence: float) -> Line:
    ordered, n = np.maximum(np.sort(part_s), FLOOR_S), len(part_s) + endless
    effective = 0 if spread["no_interval"] else int(spread["n_effective"])
    ends = [_ends(p, n, effective, confidence) for p in GRID.tolist()]
    low, high = (_at_ranks(ordered, np.array([end[side] for end in ends])) for side in (0, 1))
    return line(
        name, name, "dashed" if name == "service" else "line", _at_ranks(ordered, np.ceil(GRID * n - 1e-9)), (low, high)
    )


def _ends(p: float, n: int, effective: int, confidence: float) -> tuple[float, float]:
    """Return the interval of a quantile as ranks among n values; nan where n is too small."""
    ranks = quantile_ranks(p, effective, confidence) if effective else None
    if ranks is None:
        return math.nan, math.nan
    return max(1, math.floor(ranks[0] * n / effective)), min(n, math.ceil(ranks[1] * n / effective))


def _at_ranks(ordered: Seconds, ranks: NDArray[np.float64]) -> Seconds:
    """Return the values at 1-based ranks; nan where the rank is nan or among unfinished requests."""
    known = np.isfinite(ranks) & (ranks <= len(ordered))
    values = np.full(len(ranks), np.nan)
    values[known] = ordered[np.maximum(ranks[known].astype(np.int64), 1) - 1]
    return values


def _notes(
    parts: Mapping[TimeName, Any], plotted: Mapping[TimeName, Any], result: Mapping[str, Any], confidence: float
) -> list[str]:
    bands = f"Bands: pointwise {quantity.share(confidence)} CI of each percentile,"
    notes = [f"{bands} from binomial ranks and the effective sample size; none where the sample is too small."]
    notes += [
        f"{name} is not plotted: it was 0 for all {len(part[0]):,}."
        for name, part in parts.items()
        if name not in plotted and len(part[0])
    ]
    notes += [f"No band for {name}: {result[name]['no_interval']}." for name in plotted if result[name]["no_interval"]]
    return notes
