"""Additional percentiles, with their confidence intervals."""

from collections.abc import Mapping
from typing import Any, Final

from rich import box
from rich.table import Table

from collector.statistics import percentiles
from collector.summary.times import Times
from collector.text import quantity

KINDS: Final = ("response", "service", "wait", "lag")
Percentiles = Mapping[str, Mapping[str, Any]]


def compute(times: Times, shares: Mapping[str, float], confidence: float) -> Percentiles:
    """Return the percentiles of each kind of time in seconds, by name (such as "99.5").

    As in the report: response and service of successful requests, with unfinished ones as infinite; wait and lag of all
    sent. `ci` holds the interval bounds, `needs_n` the sample size needed where n is too small. `shares` are fractions
    in (0, 1].
    """
    samples = {
        "response": (times.response_ns[times.ok], times.endless),
        "service": (times.service_ns[times.ok], times.endless),
        "wait": (times.wait_ns, 0),
        "lag": (times.lag_ns, 0),
    }
    by_kind = {
        kind: percentiles.quantiles(percentiles.seconds(ns), shares, endless, confidence)
        for kind, (ns, endless) in samples.items()
    }
    return {
        kind: {
            **{text: each.value for text, each in own.items()},
            "ci": {text: each.ci for text, each in own.items()},
            "needs_n": {text: each.needs_n for text, each in own.items() if each.needs_n is not None},
        }
        for kind, own in by_kind.items()
    }


def table(by_kind: Percentiles, confidence: float) -> Table:
    """Lay out the percentiles, each above its interval."""
    rows = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    rows.add_column(f"{quantity.share(confidence)} CI", min_width=5)
    for kind in KINDS:
        rows.add_column(kind, justify="right")
    for text in by_kind[KINDS[0]]["ci"]:
        rows.add_row(f"p{text}", *(_cell(by_kind[kind], text) for kind in KINDS))
    return rows


def _cell(own: Mapping[str, Any], text: str) -> str:
    value, ends = quantity.seconds(own[text]), own["ci"][text]
    if ends is not None:
        return f"{value}\n{quantity.seconds(ends[0])} - {'inf' if ends[1] is None else quantity.seconds(ends[1])}"
    return f"{value}\nneeds n >= {own['needs_n'][text]:,}" if text in own["needs_n"] else value
