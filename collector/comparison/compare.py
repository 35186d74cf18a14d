"""Two runs compared: their verdicts, how much each figure differs, and how sure that is; see docs/statistics.md."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Literal, TypedDict

import numpy as np

from collector.comparison.difference import Difference, Known, difference
from collector.comparison.figures import ATTAINMENT, ERROR_SHARE, FIGURES, Estimate, estimates
from collector.comparison.paired_bootstrap import PairedBootstrap
from collector.comparison.sample_series import sample_series
from collector.comparison.source import Source
from collector.errors import RunError
from collector.saved.run_folder import SavedRun
from collector.summary.result import Verdict
from collector.summary.summary import summarise
from collector.text import quantity

MOST_CONFIDENT: Final = 0.995  # more than that so few resamples cannot tell


class Side(TypedDict):
    """One of the two runs; `requests` were planned."""

    path: str
    verdict: Verdict
    partial: bool
    requests: int


class Comparison(TypedDict):
    """Run `b` held against run `a`, which are of `rate` requests/s where they are parts of sweeps.

    `differs` is what differs in their workloads. `method` is how percentiles and throughput have their intervals: by
    the "bootstrap", with the same requests of both runs where they are `paired`; or, where there are results without
    records, from the "intervals" of each.
    """

    rate: float | None
    a: Side
    b: Side
    differs: list[str]
    confidence: float
    method: Literal["bootstrap", "intervals"]
    paired: bool
    figures: list[Difference]
    notes: list[str]


def compare(
    a: Source,
    b: Source,
    *,
    confidence: float | None = None,
    differs: list[str] | None = None,
    rate: float | None = None,
) -> Comparison:
    """Compare two runs; RunError where one sent nothing, or where that confidence cannot be had."""
    sure, notes = _confidence(a, b, confidence), _notes(a, b)
    b = _with_targets_of(a, b)
    of_a, of_b = _result(a, sure), _result(b, sure)
    notes += _polled(of_a, of_b)
    known_a, known_b = estimates(of_a), estimates(of_b)
    pair, intervals = None, dict[str, Known]()
    if a.saved and b.saved:
        pair = _pair(a.saved, b.saved, same_plan=_same_plan(a, b))
        intervals = pair.intervals(sure)
        for known, run in ((known_a, pair.a), (known_b, pair.b)):
            known |= {ATTAINMENT.name: run.share("met", sure), ERROR_SHARE.name: run.share("failed", sure)}
    return Comparison(
        rate=rate,
        a=_side(a, of_a),
        b=_side(b, of_b),
        differs=differs or [],
        confidence=sure,
        method="bootstrap" if pair else "intervals",
        paired=pair.paired if pair else False,
        figures=_differences(known_a, known_b, intervals),
        notes=notes,
    )


def _differences(a: Mapping[str, Estimate], b: Mapping[str, Estimate], known: Mapping[str, Known]) -> list[Difference]:
    return [difference(figure, a[figure.name], b[figure.name], known.get(figure.name)) for figure in FIGURES]


def _confidence(a: Source, b: Source, asked: float | None) -> float:
    """What was asked for, else what both runs were made with."""
    if asked is None and a.confidence != b.confidence:
        raise RunError(
            f"{a.path} has intervals of {a.confidence:g} and {b.path} of {b.confidence:g}; give --confidence"
        )
    sure = a.confidence if asked is None else asked
    for source in (a, b):
        if source.result is not None and source.confidence != sure:
            raise RunError(f"{source.path} has intervals of {source.confidence:g}, not {sure:g}; compare run folders")
    if a.saved and b.saved and sure > MOST_CONFIDENT:
        raise RunError(f"--confidence {sure:g}: two runs can be compared with {MOST_CONFIDENT} at most; lower it")
    return sure


def _same_plan(a: Source, b: Source) -> bool:
    return a.digest is not None and a.digest == b.digest


def _notes(a: Source, b: Source) -> list[str]:
    if not (a.saved and b.saved):
        return ["without the records of both, throughput and errors have no interval, nor are targets made the same"]
    ours, theirs = a.saved.info, b.saved.info
    if not _same_plan(a, b):
        return ["the plans are not the same, so requests are not paired, and each run has its own targets"]
    if ours.slo_enabled and not np.array_equal(ours.slo_ms, theirs.slo_ms, equal_nan=True):
        return [f"the targets are not the same; {ATTAINMENT.name} holds both runs against those of the first"]
    return []


def _polled(*results: Mapping[str, Any]) -> list[str]:
    """Jobs are known to be done a little late, by an unknown part of the width of their completions."""
    spreads = [result.get("completion_width") for result in results]
    widths = [spread.get("p50") for spread in spreads if isinstance(spread, Mapping)]
    known = [width for width in widths if isinstance(width, int | float)]
    if not known:
        return []
    return [
        f"completions of jobs are known to {quantity.seconds(max(known))} at the median; less than that may be polling"
    ]


def _with_targets_of(a: Source, b: Source) -> Source:
    """Hold both runs of a plan against the same targets: a slow server's warm-ups must not make for lenient ones."""
    if not (a.saved and b.saved and _same_plan(a, b)):
        return b
    info = replace(b.saved.info, slo_ms=a.saved.info.slo_ms, slo_enabled=a.saved.info.slo_enabled)
    return replace(b, saved=replace(b.saved, info=info))


def _result(source: Source, confidence: float) -> Mapping[str, Any]:
    result: Mapping[str, Any] = source.result or {}
    if source.saved is not None:
        saved = source.saved
        result = summarise(saved.records, replace(saved.info, confidence=confidence), saved.notes)
    if not result["completed_requests"] + result["failed_requests"]:
        raise RunError(f"{source.path}: no request was sent in this run; there is nothing to compare")
    return result


def _pair(a: SavedRun, b: SavedRun, *, same_plan: bool) -> PairedBootstrap:
    ours, theirs = sample_series(a), sample_series(b)
    return PairedBootstrap(ours, theirs, paired=same_plan and np.array_equal(ours.index, theirs.index))


def _side(source: Source, result: Mapping[str, Any]) -> Side:
    partial = bool(result.get("partial"))
    return Side(path=str(source.path), verdict=result["verdict"], partial=partial, requests=source.planned)
