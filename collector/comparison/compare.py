"""Compares two runs: their verdicts, and the difference of each figure with an interval; see docs/statistics.md."""

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

MAX_CONFIDENCE: Final = 0.995  # a higher one would take more resamples


class Side(TypedDict):
    """One of the two runs; `requests` is the number planned, `failed` that of the sent ones that failed."""

    path: str
    verdict: Verdict
    partial: bool
    requests: int
    sent: int
    failed: int
    request_errors: dict[str, int]


class Comparison(TypedDict):
    """Run `b` compared with run `a`; `rate` (requests/s) is that of a pair from two sweeps, else null.

    `method` is how the intervals of percentiles and throughput are found: by the "bootstrap", which resamples the same
    requests of both runs if they are `paired`; or, for results without records, from the "intervals" of each.
    """

    rate: float | None
    a: Side
    b: Side
    workload_differences: list[str]
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
    """Compare two runs. Raises RunError if one sent nothing, or if that confidence is not available."""
    level, notes = _confidence(a, b, confidence), _notes(a, b)
    b = _with_targets_of(a, b)
    of_a, of_b = _result(a, level), _result(b, level)
    notes += _polled(of_a, of_b)
    known_a, known_b = estimates(of_a), estimates(of_b)
    pair, intervals = None, dict[str, Known]()
    if a.saved and b.saved:
        pair = _pair(a.saved, b.saved, same_plan=_same_plan(a, b))
        intervals = pair.intervals(level)
        for known, run in ((known_a, pair.a), (known_b, pair.b)):
            known |= {ATTAINMENT.name: run.share("met", level), ERROR_SHARE.name: run.share("failed", level)}
    return Comparison(
        rate=rate,
        a=_side(a, of_a),
        b=_side(b, of_b),
        workload_differences=differs or [],
        confidence=level,
        method="bootstrap" if pair else "intervals",
        paired=pair.paired if pair else False,
        figures=_differences(known_a, known_b, intervals),
        notes=notes,
    )


def _differences(a: Mapping[str, Estimate], b: Mapping[str, Estimate], known: Mapping[str, Known]) -> list[Difference]:
    return [difference(figure, a[figure.name], b[figure.name], known.get(figure.name)) for figure in FIGURES]


def _confidence(a: Source, b: Source, asked: float | None) -> float:
    """The confidence asked for, else that of both runs."""
    if asked is None and a.confidence != b.confidence:
        raise RunError(
            f"{a.path} has intervals at {a.confidence:g} and {b.path} at {b.confidence:g}; give --confidence"
        )
    level = a.confidence if asked is None else asked
    for source in (a, b):
        if source.result is not None and source.confidence != level:
            raise RunError(f"{source.path} has intervals of {source.confidence:g}, not {level:g}; compare run folders")
    if a.saved and b.saved and level > MAX_CONFIDENCE:
        raise RunError(f"--confidence {level:g}: two runs can be compared with {MAX_CONFIDENCE} at most; lower it")
    return level


def _same_plan(a: Source, b: Source) -> bool:
    return a.digest is not None and a.digest == b.digest


def _notes(a: Source, b: Source) -> list[str]:
    if not (a.saved and b.saved):
        return ["without the records of both, throughput and errors have no interval, and each run keeps its targets"]
    ours, theirs = a.saved.info, b.saved.info
    if not _same_plan(a, b):
        return ["the plans differ, so requests are not paired, and each run keeps its own targets"]
    if ours.slo_enabled and not np.array_equal(ours.slo_ms, theirs.slo_ms, equal_nan=True):
        return [f"the targets differ; {ATTAINMENT.name} takes those of the first run for both"]
    return []


def _polled(*results: Mapping[str, Any]) -> list[str]:
    """A note on polled jobs, whose completion is only known to lie within an interval."""
    spreads = [result.get("completion_width") for result in results]
    widths = [spread.get("p50") for spread in spreads if isinstance(spread, Mapping)]
    known = [width for width in widths if isinstance(width, int | float)]
    if not known:
        return []
    return [
        f"completions of jobs are known to {quantity.seconds(max(known))} (p50); smaller differences may be polling"
    ]


def _with_targets_of(a: Source, b: Source) -> Source:
    """Judge both runs of a plan by the same targets, since the warm-ups of a slow server would give lenient ones."""
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
        raise RunError(f"{source.path}: no request was sent in this run, so there is nothing to compare")
    return result


def _pair(a: SavedRun, b: SavedRun, *, same_plan: bool) -> PairedBootstrap:
    ours, theirs = sample_series(a), sample_series(b)
    return PairedBootstrap(ours, theirs, paired=same_plan and np.array_equal(ours.index, theirs.index))


def _side(source: Source, result: Mapping[str, Any]) -> Side:
    failed = result["failed_requests"]
    return Side(
        path=str(source.path),
        verdict=result["verdict"],
        partial=bool(result.get("partial")),
        requests=source.planned,
        sent=result["completed_requests"] + failed,
        failed=failed,
        request_errors=_request_errors(result),
    )


def _request_errors(result: Mapping[str, Any]) -> dict[str, int]:
    """The failed requests by kind; empty where a result file has no usable ones."""
    errors = result.get("request_errors")
    known = errors.items() if isinstance(errors, Mapping) else ()
    return {str(name): count for name, count in known if isinstance(count, int)}
