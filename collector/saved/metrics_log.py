"""Scrapes: what the pages of `--server-metrics` said, second by second, as a file of JSON lines.

    {"page", "url"}                     a page, before its first scrape; the URL is fit to be shown
    {"page", "series", "name", "kind"}  a series, before its first value; kind is gauge or counter
    {"page", "at_ns", "values"}         a scrape: {series: value} of those that changed, null for one that is gone
    {"page", "at_ns", "problem"}        a scrape that failed, and why
    {"page", "left_out"}                a series that is not kept: one too many, or too long a name
    {"end_ns", "why"}                   the last line: told to stop, or why no more is kept

Pages and series are numbers, times CLOCK_MONOTONIC ns. A file without an end is of a scraper that died.
"""

import math
import os
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

MOST_BYTES: Final = 64 << 20  # of the file, which without --run-dir is memory; 30 series that always change for a day
KINDS: Final = ("gauge", "counter")
LARGEST: Final = 1e100  # of any value, so that differences and rates are finite too
_LATEST_NS: Final = 1 << 62


class MetricsLog:
    """Writes the lines. What cannot be written (a full disk) ends them, and nothing else."""

    def __init__(self, descriptor: int, most_bytes: int = MOST_BYTES) -> None:
        self._descriptor, self._left = descriptor, most_bytes
        self._series = 0
        self._cut: set[int] = set()
        self._over = False

    def begin(self, page: int, url: str) -> None:
        """Name a page."""
        self._write({"page": page, "url": url})

    def series(self, page: int, name: str, kind: str) -> int:
        """Name a series and return its number."""
        self._series += 1
        self._write({"page": page, "series": self._series, "name": name, "kind": kind})
        return self._series

    def scraped(self, page: int, at_ns: int, changes: Mapping[int, float | None]) -> None:
        """Write what changed since the last scrape of this page."""
        self._write({"page": page, "at_ns": at_ns, "values": {str(series): v for series, v in changes.items()}})

    def failed(self, page: int, at_ns: int, problem: str) -> None:
        """Write that there is nothing of this second."""
        self._write({"page": page, "at_ns": at_ns, "problem": problem})

    def left_out(self, page: int) -> None:
        """Write, once, that a page has series that are not kept."""
        if page not in self._cut:
            self._cut.add(page)
            self._write({"page": page, "left_out": True})

    def end(self, at_ns: int, why: str | None = None) -> None:
        """Write the last line."""
        self._put(orjson.dumps({"end_ns": at_ns, "why": why}) + b"\n")
        self._over = True

    def _write(self, line: Mapping[str, object]) -> None:
        content = orjson.dumps(line) + b"\n"
        self._left -= len(content)
        if self._left >= 0:
            self._put(content)
        elif not self._over:
            self.end(0, f"{MOST_BYTES >> 20} MiB were full")

    def _put(self, content: bytes) -> None:
        """Append; after what went wrong or came short nothing may follow, so that only the last line can be torn."""
        if self._over:
            return
        try:
            self._over = os.write(self._descriptor, content) < len(content)
        except OSError:
            self._over = True


@dataclass(slots=True)
class Page:
    """What became of the scrapes of one page; `failed` are numbers of scrapes, `problem` is what the first one said."""

    url: str
    at_ns: "array[int]" = field(default_factory=lambda: array("q"))
    failed: "array[int]" = field(default_factory=lambda: array("q"))
    problem: str | None = None
    left_out: bool = False


@dataclass(slots=True)
class Track:
    """One series as it changed: from scrape number `since[i]` on it is `value[i]`, nan where it is gone."""

    page: int
    name: str
    kind: str
    since: "array[int]" = field(default_factory=lambda: array("q"))
    value: "array[float]" = field(default_factory=lambda: array("d"))


class Scrapes:
    """All pages and series of a run. `ended` says that the last line came, `why` that it was not the parent's word."""

    def __init__(self) -> None:
        self.pages: dict[int, Page] = {}
        self.tracks: dict[int, Track] = {}
        self.ended = False
        self.why: str | None = None

    @classmethod
    def of_lines(cls, lines: Iterable[Any]) -> "Scrapes":
        """Read parsed lines. Raises KeyError, TypeError, ValueError or AttributeError for one that is none of ours."""
        scrapes = cls()
        for line in lines:
            scrapes._take(line)
        return scrapes

    @classmethod
    def of_file(cls, descriptor: int) -> "Scrapes":
        """Read what the scraper has written so far; a line cut short by its death is left out."""
        content = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        return cls.of_lines(map(orjson.loads, content.split(b"\n")[:-1]))

    def values(self, track: Track) -> NDArray[np.float64]:
        """The value of a series at each scrape of its page, nan where there is none."""
        page = self.pages[track.page]
        place = np.searchsorted(np.array(track.since), np.arange(len(page.at_ns)), side="right") - 1
        held = np.append(np.array(track.value, np.float64), np.nan)[place]  # -1, before its first value, is nan
        held[np.array(page.failed, np.int64)] = np.nan
        return held

    def _take(self, line: Mapping[str, Any]) -> None:
        if "end_ns" in line:
            self.ended, self.why = True, _text(line["why"]) if line["why"] is not None else None
        elif "url" in line:
            self.pages[_number(line["page"])] = Page(_text(line["url"]))
        elif "name" in line:
            self._begin(line["page"], line)
        elif "left_out" in line:
            self.pages[line["page"]].left_out = True
        else:
            self._take_scrape(line["page"], line)

    def _begin(self, page: int, line: Mapping[str, Any]) -> None:
        if page not in self.pages:
            raise ValueError(f"there is no page {page}")
        if line["kind"] not in KINDS:
            raise ValueError(f"there is no kind {line['kind']}")
        self.tracks[line["series"]] = Track(page, _text(line["name"]), line["kind"])

    def _take_scrape(self, number: int, line: Mapping[str, Any]) -> None:
        page = self.pages[number]
        page.at_ns.append(_time(line["at_ns"], page.at_ns))
        place = len(page.at_ns) - 1
        if "problem" in line:
            page.failed.append(place)
            page.problem = page.problem or _text(line["problem"])
            return
        for series, value in line["values"].items():
            track = self.tracks[int(series)]
            if track.page != number:
                raise ValueError(f"series {series} is of another page")
            track.since.append(place)
            track.value.append(math.nan if value is None else _figure(value))


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no number")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _time(value: object, before: "array[int]") -> int:
    if not isinstance(value, int) or not (before[-1] if before else 0) <= value < _LATEST_NS:
        raise ValueError(f"{value!r} is no time, or not in order")
    return value


def _figure(value: object) -> float:
    if not isinstance(value, int | float) or abs(value) > LARGEST:
        raise ValueError(f"{value!r} is no figure")
    return float(value)
