"""SLO attainment by class (size, frames and steps), and over time."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.statistics.intervals import share_interval
from collector.summary import slo
from collector.summary.result import BinAttainment, ClassAttainment
from collector.summary.run_info import RunInfo
from collector.summary.times import Times

MAX_CLASSES: Final = 20  # rows; the rarest classes share the last one
_MAX_BINS, _BIN_REQUESTS = 50, 20  # most bins, and the least average number of requests in one
_NS: Final = 1e9


def by_class(times: Times, info: RunInfo) -> list[ClassAttainment]:
    """Attainment of each class that has a target, the most frequent first; empty if the shapes are unknown."""
    if len(info.shapes) != info.planned:
        return []
    counted, met = slo.judged(times, info)
    shapes, kind = _distinct(info.shapes[counted])
    order = np.argsort(-np.bincount(kind, minlength=len(shapes)), kind="stable")
    whole = len(order) <= MAX_CLASSES
    shown = order if whole else order[: MAX_CLASSES - 1]
    rows = [_class(class_name(shapes[k].tolist()), met[counted][kind == k], info.confidence) for k in shown]
    if not whole:
        others = ~np.isin(kind, shown)
        rows.append(_class(f"{len(order) - len(shown)} others", met[counted][others], info.confidence))
    return rows


def class_name(shape: list[int]) -> str:
    """A class as text, such as "512x512, 20 steps"; 0 (the server decides) and a single frame are left out."""
    width, height, frames, steps = shape
    size = f"{width}x{height}" if width and height else "any size"
    return ", ".join([size, *([f"{frames} frames"] if frames > 1 else []), *([f"{steps} steps"] if steps else [])])


def over_time(times: Times, info: RunInfo) -> list[BinAttainment]:
    """Attainment in intervals of equal length, by when requests were due (in a closed loop: sent)."""
    counted, met = slo.judged(times, info)
    if not counted.any():
        return []
    at_ns = info.scheduled_ns.copy()
    if info.closed_loop:
        at_ns[times.index] = times.sent_ns
    at_s = (at_ns[counted] - info.started_ns) / _NS
    bins = int(np.clip(len(at_s) // _BIN_REQUESTS, 1, _MAX_BINS))
    edges = np.linspace(at_s.min(), at_s.max(), bins + 1)
    place = np.clip(np.searchsorted(edges, at_s, side="right") - 1, 0, bins - 1)
    requests = np.bincount(place, minlength=bins)
    hits = np.bincount(place, weights=met[counted], minlength=bins).astype(int)
    whole = slo.attainment(times, info)
    return [_bin(*row, whole, info.confidence) for row in zip(edges, edges[1:], requests, hits, strict=False)]


def _class(name: str, met: NDArray[np.bool_], confidence: float) -> ClassAttainment:
    own = slo.Attainment.of(met)
    return {
        "class": name,
        "requests": own.requests,
        "met": own.met,
        "attainment": own.rate,
        "ci": own.interval(confidence),
    }


def _bin(
    from_s: float, to_s: float, requests: int, met: int, whole: slo.Attainment, confidence: float
) -> BinAttainment:
    """One interval; it is too short to estimate its own tau, so it takes that of the whole run."""
    tau, known = whole.correlated.tau, whole.correlated.enough
    return BinAttainment(
        from_s=float(from_s),
        to_s=float(to_s),
        requests=int(requests),
        met=int(met),
        attainment=float(met / requests) if requests else None,
        ci=share_interval(met / tau, requests / tau, confidence) if known else None,
    )


def _distinct(shapes: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Distinct rows of int32[n, 4] and the index of each row among them; by columns, as sorting rows is slow."""
    kind = np.zeros(len(shapes), np.int64)
    for column in shapes.T:
        values, place = np.unique(column, return_inverse=True)
        kind = np.unique(kind * max(len(values), 1) + place, return_inverse=True)[1]
    _, first = np.unique(kind, return_index=True)
    return shapes[first], kind
