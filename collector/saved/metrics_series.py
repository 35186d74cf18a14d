"""The server's metrics over a run: gauges and rates of counters, as arrays to plot and as figures."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.saved.metrics_log import Page, Scrapes, Track
from collector.summary.result import Figures, MetricSpread, PageFigures, ServerMetrics

Seconds = NDArray[np.float64]
Values = NDArray[np.float64]

# Shown first: queue length, running requests, GPU use; shown last: what every process exports.
_RANKS: Final = (r"wait|queue|pending", r"running|in_?flight|active|inprogress", r"gpu|cuda|cache|util")
_LAST: Final = r"(process|python|go)_"
_DIED: Final = "the scrapes end before the run: the scraper died, or the disk is full"


@dataclass(frozen=True, slots=True)
class Moved:
    """A series that changed: values of gauges, rates of counters (1/s); arrays have one entry per scrape, in order.

    `at_s` counts from time zero; `values` is nan if the scrape failed or lacked the series. The value of a counter is
    its rate since `since_s`, nan after a reset; for gauges `since_s` equals `at_s`.
    """

    page: int
    name: str
    kind: str
    at_s: Seconds
    since_s: Seconds
    values: Values


def moved(scrapes: Scrapes | None, started_ns: int) -> list[Moved]:
    """The series that changed before, during or after the run, the most relevant first."""
    if scrapes is None:
        return []
    found = [one for track in scrapes.tracks.values() if (one := _moved(scrapes, track, started_ns))]
    return sorted(found, key=lambda one: (one.kind != "gauge", _rank(one.name), one.name, one.page))


def of_run(scrapes: Scrapes | None, started_ns: int, run: Figures) -> ServerMetrics | None:
    """Summarise the metrics from time zero to the last answer, or to the end of a run without answers."""
    if scrapes is None:
        return None
    return figures(scrapes, started_ns, run["duration"] or (run["end"]["ended_ns"] - started_ns) / 1e9)


def figures(scrapes: Scrapes, started_ns: int, until_s: float) -> ServerMetrics:
    """Summarise the metrics between time zero and `until_s`."""
    found = moved(scrapes, started_ns)
    return ServerMetrics(
        pages=[_page(page) for page in scrapes.pages.values()],
        changed=[_spread(one, until_s) for one in found],
        unchanged=len(scrapes.tracks) - len(found),
        warning=scrapes.reason if scrapes.ended else _DIED,
    )


def _moved(scrapes: Scrapes, track: Track, started_ns: int) -> Moved | None:
    if len(track.value) < 2:  # it never changed
        return None
    values = scrapes.values(track)
    at_s = (np.array(scrapes.pages[track.page].at_ns) - started_ns) / 1e9
    present = values[np.isfinite(values)]
    if not len(present) or np.ptp(present) == 0:
        return None
    since_s, values = _rates(at_s, values) if track.kind == "counter" else (at_s, values)
    return Moved(track.page, track.name, track.kind, at_s, since_s, values)


def _rates(at_s: Seconds, values: Values) -> tuple[Seconds, Values]:
    """Increase per second since the last scrape that has a value."""
    present = np.flatnonzero(np.isfinite(values))
    since_s, rates = at_s.copy(), np.full(len(values), np.nan)
    gap_s, increase = np.diff(at_s[present]), np.diff(values[present])
    since_s[present[1:]] = at_s[present[:-1]]
    known = (increase >= 0) & (gap_s > 0)
    rates[present[1:][known]] = increase[known] / gap_s[known]
    return since_s, rates


def _spread(one: Moved, until_s: float) -> MetricSpread:
    inside = np.isfinite(one.values) & (one.at_s >= 0) & (one.since_s <= until_s)
    values = one.values[inside]
    weights = (one.at_s - one.since_s)[inside] if one.kind == "counter" else None
    any_values = len(values) > 0
    return MetricSpread(
        page=one.page,
        name=one.name,
        kind=one.kind,
        min=float(values.min()) if any_values else None,
        mean=float(np.average(values, weights=weights)) if any_values else None,
        max=float(values.max()) if any_values else None,
        samples=len(values),
    )


def _page(page: Page) -> PageFigures:
    return PageFigures(
        url=page.url, scrapes=len(page.at_ns), failed=len(page.failed), error=page.error, truncated=page.truncated
    )


def _rank(name: str) -> int:
    bare = name.partition("{")[0].lower()
    if re.match(_LAST, bare):
        return len(_RANKS) + 1
    return next(_matching(bare), len(_RANKS))


def _matching(bare: str) -> Iterator[int]:
    return (rank for rank, words in enumerate(_RANKS) if re.search(words, bare))
