"""Two runs, or two sweeps rate by rate, held against each other: which of them are counterparts, and what differs."""

from dataclasses import dataclass
from pathlib import Path

from collector.comparison import compare as pairwise
from collector.comparison import source, workload
from collector.comparison.compare import Comparison
from collector.errors import RunError


@dataclass(frozen=True, slots=True)
class MatchedRuns:
    """A comparison for each pair of runs, by rate ascending; `unmatched` says which rates only one sweep has."""

    comparisons: list[Comparison]
    unmatched: list[str]


@dataclass(frozen=True, slots=True)
class _Pairs:
    """`runs` to be compared, with the rate of each pair in requests/s (None: no sweep)."""

    runs: list[tuple[float | None, Path, Path]]
    unmatched: list[str]


def compare(a: str | Path, b: str | Path, *, confidence: float | None = None, force: bool = False) -> MatchedRuns:
    """Hold `b` against `a`: run folders, folders of these (of a sweep), or files of `--output-file`.

    `confidence` is that of every interval (None: what the runs were made with). Raises RunError where one cannot be
    read, or where they are of different workloads, unless `force`.
    """
    pairs = _pairs(Path(a), Path(b))
    return MatchedRuns([_compared(*pair, confidence, force) for pair in pairs.runs], pairs.unmatched)


def _pairs(a: Path, b: Path) -> _Pairs:
    """The two runs themselves, or those of two sweeps that asked for the same rate."""
    ours, theirs = source.runs_by_rate(a), source.runs_by_rate(b)
    if ours is None and theirs is None:
        return _Pairs([(None, a, b)], [])
    if ours is None or theirs is None:
        sweep, other = (b, a) if ours is None else (a, b)
        raise RunError(f"{sweep} is a folder of several runs and {other} is one run; name two of a kind")
    common = sorted(ours.keys() & theirs.keys())
    if not common:
        rates = " and ".join(", ".join(f"{rate:g}" for rate in sorted(runs)) for runs in (ours, theirs))
        raise RunError(f"{a} and {b} have no rate in common: {rates} requests/s; sweep the same rates twice")
    alone = [f"{rate:g}/s: only in {a if rate in ours else b}" for rate in sorted(ours.keys() ^ theirs.keys())]
    return _Pairs([(rate, ours[rate], theirs[rate]) for rate in common], alone)


def _compared(rate: float | None, path_a: Path, path_b: Path, confidence: float | None, force: bool) -> Comparison:
    a, b = source.read(path_a), source.read(path_b)
    differs = workload.differences(a, b)
    if differs and not force:
        raise RunError(
            f"{path_a} and {path_b} are of different workloads: {workload.in_short(differs)}; "
            "compare runs of one, or these all the same by --force"
        )
    return pairwise.compare(a, b, confidence=confidence, differs=differs, rate=rate)
