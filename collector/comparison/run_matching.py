"""Matches the runs to compare: two runs, or the runs of two sweeps at equal rates."""

from dataclasses import dataclass
from pathlib import Path

from collector.comparison import compare as pairwise
from collector.comparison import source, workload
from collector.comparison.compare import Comparison
from collector.errors import RunError


@dataclass(frozen=True, slots=True)
class MatchedRuns:
    """One comparison per pair of runs, by ascending rate; `unmatched` names the rates that only one sweep has."""

    comparisons: list[Comparison]
    unmatched: list[str]


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Pairs of runs, each with its rate in requests/s (None: not from a sweep)."""

    runs: list[tuple[float | None, Path, Path]]
    unmatched: list[str]


def compare(a: str | Path, b: str | Path, *, confidence: float | None = None, force: bool = False) -> MatchedRuns:
    """Compare `b` with `a`: run folders, sweep folders, or files of `--output-file`.

    `confidence` is that of every interval (None: that of the runs). Raises RunError if one cannot be read, or if their
    workloads differ, unless `force`.
    """
    pairs = _pairs(Path(a), Path(b))
    return MatchedRuns([_compared(*pair, confidence, force) for pair in pairs.runs], pairs.unmatched)


def _pairs(a: Path, b: Path) -> _Pairs:
    """The two runs themselves, or the runs of two sweeps at equal rates."""
    ours, theirs = source.runs_by_rate(a), source.runs_by_rate(b)
    if ours is None and theirs is None:
        return _Pairs([(None, a, b)], [])
    if ours is None or theirs is None:
        sweep, other = (b, a) if ours is None else (a, b)
        raise RunError(f"{sweep} is a sweep and {other} is a single run; name two runs or two sweeps")
    common = sorted(ours.keys() & theirs.keys())
    if not common:
        rates = " and ".join(", ".join(f"{rate:g}" for rate in sorted(runs)) for runs in (ours, theirs))
        raise RunError(f"{a} and {b} have no rate in common: {rates} requests/s; run both sweeps with the same --rates")
    alone = [f"{rate:g}/s: only in {a if rate in ours else b}" for rate in sorted(ours.keys() ^ theirs.keys())]
    return _Pairs([(rate, ours[rate], theirs[rate]) for rate in common], alone)


def _compared(rate: float | None, path_a: Path, path_b: Path, confidence: float | None, force: bool) -> Comparison:
    a, b = source.read(path_a), source.read(path_b)
    differs = workload.differences(a, b)
    if differs and not force:
        raise RunError(
            f"{path_a} and {path_b} are of different workloads: {workload.in_short(differs)}; "
            "compare runs of the same workload, or use --force"
        )
    return pairwise.compare(a, b, confidence=confidence, differs=differs, rate=rate)
