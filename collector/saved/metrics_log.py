"""The log of `--server-metrics`: one scrape of each page per second, as JSON lines.

    {"page", "url"}                     a page, before its first scrape; secrets in the URL are hidden
    {"page", "series", "name", "kind"}  a series, before its first value; kind is gauge or counter
    {"page", "at_ns", "values"}         a scrape: {series: value} of those that changed, null for one that disappeared
    {"page", "at_ns", "error"}          a scrape that failed, and why
    {"page", "truncated"}               series of this page are not kept: too many, or too long a name
    {"end_ns", "reason"}                the last line; the reason is null after a normal stop

Pages and series are numbers, times are CLOCK_MONOTONIC ns. If the last line is missing, the scraper died.
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

MAX_BYTES: Final = 64 << 20  # of the file (in memory without --run-dir); a day of 30 series that always change
KINDS: Final = ("gauge", "counter")
MAX_VALUE: Final = 1e100  # of any value, so that differences and rates are finite too
_MAX_NS: Final = 1 << 62


class MetricsLog:
    """Writes the log. An error (a full disk) ends the log, but not the run."""

    def __init__(self, descriptor: int, max_bytes: int = MAX_BYTES) -> None:
        self._descriptor, self._remaining = descriptor, max_bytes
        self._series = 0
        self._truncated: set[int] = set()
        self._ended = False

    def begin(self, page: int, url: str) -> None:
        """Write the line of a page."""
        self._write({"page": page, "url": url})

    def series(self, page: int, name: str, kind: str) -> int:
        """Write the line of a series and return its number."""
        self._series += 1
        self._write({"page": page, "series": self._series, "name": name, "kind": kind})
        return self._series

    def scraped(self, page: int, at_ns: int, changes: Mapping[int, float | None]) -> None:
        """Write the values that changed since the last scrape of this page."""
        self._write({"page": page, "at_ns": at_ns, "values": {str(series): v for series, v in changes.items()}})

    def failed(self, page: int, at_ns: int, error: str) -> None:
        """Write that a scrape failed."""
        self._write({"page": page, "at_ns": at_ns, "error": error})

    def truncated(self, page: int) -> None:
        """Write, once, that a page has series that are not kept."""
        if page not in self._truncated:
            self._truncated.add(page)
            self._write({"page": page, "truncated": True})

    def end(self, at_ns: int, reason: str | None = None) -> None:
        """Write the last line."""
        self._put(orjson.dumps({"end_ns": at_ns, "reason": reason}) + b"\n")
        self._ended = True

    def _write(self, line: Mapping[str, object]) -> None:
        content = orjson.dumps(line) + b"\n"
        self._remaining -= len(content)
        if self._remaining >= 0:
            self._put(content)
        elif not self._ended:
            self.end(0, f"{MAX_BYTES >> 20} MiB limit reached")

    def _put(self, content: bytes) -> None:
        """Append; nothing may follow an error or a short write, so that only the last line can be incomplete."""
        if self._ended:
            return
        try:
            self._ended = os.write(self._descriptor, content) < len(content)
        except OSError:
            self._ended = True


@dataclass(slots=True)
class Page:
    """The scrapes of one page; `failed` are the numbers of the failed ones, `error` is that of the first."""

    url: str
    at_ns: "array[int]" = field(default_factory=lambda: array("q"))
    failed: "array[int]" = field(default_factory=lambda: array("q"))
    error: str | None = None
    truncated: bool = False


@dataclass(slots=True)
class Track:
    """The changes of one series: from scrape number `since[i]` on it is `value[i]`, nan if it disappeared."""

    page: int
    name: str
    kind: str
    since: "array[int]" = field(default_factory=lambda: array("q"))
    value: "array[float]" = field(default_factory=lambda: array("d"))


class Scrapes:
    """All pages and series of a run. `ended`: the log has its last line; `reason`: why it ended early, else None."""

    def __init__(self) -> None:
        self.pages: dict[int, Page] = {}
        self.tracks: dict[int, Track] = {}
        self.ended = False
        self.reason: str | None = None

    @classmethod
    def of_lines(cls, lines: Iterable[Any]) -> "Scrapes":
        """Read parsed lines. Raises KeyError, TypeError, ValueError or AttributeError for an invalid line."""
        scrapes = cls()
        for line in lines:
            scrapes._take(line)
        return scrapes

    @classmethod
    def of_file(cls, descriptor: int) -> "Scrapes":
        """Read what the scraper has written so far; an incomplete last line is ignored."""
        content = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        return cls.of_lines(map(orjson.loads, content.split(b"\n")[:-1]))

    def values(self, track: Track) -> NDArray[np.float64]:
        """The value of a series at each scrape of its page, nan if there is none."""
        page = self.pages[track.page]
        place = np.searchsorted(np.array(track.since), np.arange(len(page.at_ns)), side="right") - 1
        held = np.append(np.array(track.value, np.float64), np.nan)[place]  # -1, before its first value, is nan
        held[np.array(page.failed, np.int64)] = np.nan
        return held

    def _take(self, line: Mapping[str, Any]) -> None:
        if "end_ns" in line:
            self.ended, self.reason = True, _text(line["reason"]) if line["reason"] is not None else None
        elif "url" in line:
            self.pages[_number(line["page"])] = Page(_text(line["url"]))
        elif "name" in line:
            self._begin(line["page"], line)
        elif "truncated" in line:
            self.pages[line["page"]].truncated = True
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
        if "error" in line:
            page.failed.append(place)
            page.error = page.error or _text(line["error"])
            return
        for series, value in line["values"].items():
            track = self.tracks[int(series)]
            if track.page != number:
                raise ValueError(f"series {series} is of another page")
            track.since.append(place)
            track.value.append(math.nan if value is None else _figure(value))


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is not a number")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def _time(value: object, before: "array[int]") -> int:
    if not isinstance(value, int) or not (before[-1] if before else 0) <= value < _MAX_NS:
        raise ValueError(f"{value!r} is not a time, or not in order")
    return value


def _figure(value: object) -> float:
    if not isinstance(value, int | float) or abs(value) > MAX_VALUE:
        raise ValueError(f"{value!r} is not a valid value")
    return float(value)
