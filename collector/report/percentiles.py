"""Further percentiles: those that a contract names and the report does not have."""

from collections.abc import Mapping
from typing import Final

from rich import box
from rich.table import Table

from collector import quantity, stats
from collector.times import Times

KINDS: Final = ("response", "service", "wait", "lag")
Percentiles = Mapping[str, Mapping[str, float | None]]


def of(times: Times, shares: Mapping[str, float]) -> Percentiles:
    """Give the percentiles of each kind of time in seconds, by the text that they were asked with (such as "99.5").

    As in the report: response and service of what succeeded, with what never ended as infinite; wait and lag of all
    that was sent. `shares` are in (0, 1].
    """
    known = {
        "response": (times.response_ns[times.ok], times.endless),
        "service": (times.service_ns[times.ok], times.endless),
        "wait": (times.wait_ns, 0),
        "lag": (times.lag_ns, 0),
    }
    return {
        kind: {text: stats.percentile(stats.seconds(ns), share, endless) for text, share in shares.items()}
        for kind, (ns, endless) in known.items()
    }


def table(found: Percentiles) -> Table:
    """Lay them out as the report does its own."""
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    drawn.add_column("", no_wrap=True, min_width=5)
    for kind in KINDS:
        drawn.add_column(kind, justify="right", no_wrap=True)
    for text in found[KINDS[0]]:
        drawn.add_row(f"p{text}", *(quantity.seconds(found[kind][text]) for kind in KINDS))
    return drawn
