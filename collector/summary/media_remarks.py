"""Remarks on media: what the server chose otherwise than requested (size, frames, format), and how often.

They are no failures: servers round sizes, and models have rules for the number of frames.
"""

from collections import Counter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.records.record import FORMAT_SHIFT, FORMATS, Outcome
from collector.summary.answer_figures import MediaRemark
from collector.summary.run_info import RunInfo

MOST_PAIRS: Final = 8  # of each kind; the others are counted together
_EXPECTED: Final = frozenset({"image/png", "video/mp4"})  # what servers send if nothing else was requested
_SIDE_BITS: Final = 16
_ALIASES: Final = {"jpg": "jpeg"}

Counts = list[tuple[str | None, str, int, int]]  # requested, received, count, of how many that requested it


def media_remarks(kept: NDArray[np.void], info: RunInfo) -> list[MediaRemark]:
    """The remarks of a run, the most frequent of each kind first; `kept` are its first records."""
    ok = kept[(kept["outcome"] == Outcome.OK) & (kept["outputs"] > 0)]
    found = {"size": [], "frames": [], "format": _formats(ok, info.output_format)}
    if len(info.shapes):
        shapes = info.shapes[ok["index"]]
        found["size"] = _sizes(ok, shapes)
        found["frames"] = _frames(ok, shapes[:, 2])
    return [remark for kind, counts in found.items() for remark in _bounded(kind, counts)]


def _bounded(kind: str, counts: Counts) -> list[MediaRemark]:
    remarks = [MediaRemark(kind=kind, requested=a, received=b, count=n, of=of) for a, b, n, of in counts[:MOST_PAIRS]]
    if rest := counts[MOST_PAIRS:]:
        total, of = sum(n for *_, n, _ in rest), max(of for *_, of in rest)
        remarks.append(MediaRemark(kind=kind, requested=None, received=f"{len(rest)} more", count=total, of=of))
    return remarks


def _sizes(ok: NDArray[np.void], shapes: NDArray[np.int32]) -> Counts:
    limit = (1 << _SIDE_BITS) - 1
    asked = np.minimum(shapes[:, :2], limit).astype(np.int64)
    sides = (asked[:, 0], asked[:, 1], ok["width"].astype(np.int64), ok["height"].astype(np.int64))
    width, height, got_width, got_height = sides
    known = (width > 0) & (height > 0) & (got_width > 0) & (got_height > 0)
    pairs = _differing(width << _SIDE_BITS | height, got_width << _SIDE_BITS | got_height, known)
    return [(_size(asked), _size(got), count, of) for asked, got, count, of in pairs]


def _size(packed: int) -> str:
    return f"{packed >> _SIDE_BITS}x{packed & (1 << _SIDE_BITS) - 1}"


def _frames(ok: NDArray[np.void], frames: NDArray[np.int32]) -> Counts:
    asked, got = frames.astype(np.int64), ok["frames"].astype(np.int64)
    pairs = _differing(asked, got, (asked > 0) & (got > 0))
    return [(str(asked), str(got), count, of) for asked, got, count, of in pairs]


def _differing(
    asked: NDArray[np.int64], got: NDArray[np.int64], known: NDArray[np.bool_]
) -> list[tuple[int, int, int, int]]:
    """The pairs (asked, got) that differ, by falling count, each with its count and that of all with this `asked`."""
    asked, got = asked[known], got[known]
    differ = asked != got
    if not differ.any():
        return []
    values, counts = np.unique(asked, return_counts=True)
    of: dict[int, int] = dict(zip(values.tolist(), counts.tolist(), strict=True))
    pairs = Counter(zip(asked[differ].tolist(), got[differ].tolist(), strict=True))
    return [(*pair, count, of[pair[0]]) for pair, count in pairs.most_common()]


def _formats(ok: NDArray[np.void], requested: str) -> Counts:
    codes, counts = np.unique(ok["flags"] >> FORMAT_SHIFT, return_counts=True)
    found = {_format(code): count for code, count in zip(codes.tolist(), counts.tolist(), strict=True) if code}
    total = sum(found.values())
    if requested:
        wanted = _ALIASES.get(requested.lower(), requested.lower())
        others = {name: count for name, count in found.items() if name.partition("/")[2] != wanted}
    else:
        others = {} if found.keys() <= _EXPECTED else found
    ordered = sorted(others.items(), key=lambda item: -item[1])
    return [(requested or None, name, count, total) for name, count in ordered]


def _format(code: int) -> str:
    return FORMATS[code] if code < len(FORMATS) else f"format {code}"


def sentence(remark: MediaRemark | dict[str, Any]) -> tuple[str, str]:
    """A remark as a label and a text: ("resized", "1000x1000 -> 992x992, 240 of 240")."""
    label = "resized" if remark["kind"] == "size" else str(remark["kind"])
    change = remark["received"] if remark["requested"] is None else f"{remark['requested']} -> {remark['received']}"
    return label, f"{change}, {remark['count']:,} of {remark['of']:,}"
