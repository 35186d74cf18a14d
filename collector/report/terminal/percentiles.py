"""Further percentiles: those that a contract names and the report does not have."""

from collections.abc import Mapping
from typing import Any, Final

from rich import box
from rich.table import Table

from collector.statistics import order_statistics
from collector.summary.times import Times
from collector.text import quantity

KINDS: Final = ("response", "service", "wait", "lag")
Percentiles = Mapping[str, Mapping[str, Any]]


def of(times: Times, shares: Mapping[str, float], confidence: float) -> Percentiles:
    """Give the percentiles of each kind of time in seconds, by the text that they were asked with (such as "99.5").

    As in the report: response and service of what succeeded, with what never ended as infinite; wait and lag of all
    that was sent. `ci` has the ends of their intervals, `needs_n` how many it takes where n is too small. `shares` are
    in (0, 1].
    """
    known = {
        "response": (times.response_ns[times.ok], times.endless),
        "service": (times.service_ns[times.ok], times.endless),
        "wait": (times.wait_ns, 0),
        "lag": (times.lag_ns, 0),
    }
    found = {
        kind: order_statistics.quantiles(order_statistics.seconds(ns), shares, more, confidence)
        for kind, (ns, more) in known.items()
    }
    return {
        kind: {
            **{text: each.value for text, each in own.items()},
            "ci": {text: each.ci for text, each in own.items()},
            "needs_n": {text: each.needs_n for text, each in own.items() if each.needs_n is not None},
        }
        for kind, own in found.items()
    }


def table(found: Percentiles, confidence: float) -> Table:
    """Lay them out as the report does its own, each above its interval."""
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    drawn.add_column(f"{quantity.share(confidence)} sure", min_width=5)
    for kind in KINDS:
        drawn.add_column(kind, justify="right")
    for text in found[KINDS[0]]["ci"]:
        drawn.add_row(f"p{text}", *(_cell(found[kind], text) for kind in KINDS))
    return drawn


def _cell(own: Mapping[str, Any], text: str) -> str:
    value, ends = quantity.seconds(own[text]), own["ci"][text]
    if ends is not None:
        return f"{value}\n{quantity.seconds(ends[0])} - {'inf' if ends[1] is None else quantity.seconds(ends[1])}"
    return f"{value}\nneeds n >= {own['needs_n'][text]:,}" if text in own["needs_n"] else value
