"""The table of figures per time interval, for a run whose rate changes."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from collector.summary.result import Stretch
from collector.text import quantity


def table(rows: Sequence[Stretch]) -> Table:
    """Lay out one row per interval; all columns fit 80 characters."""
    layout = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1))
    for name in ("from", "plan/s", "sent/s", "ok/s", "p50", "p99", "SLO met", "in flight", "failed"):
        layout.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        layout.add_row(
            quantity.seconds(row["from_s"]) if row["from_s"] else "0 s",
            *(quantity.rate(row[name]).removesuffix("/s") for name in ("asked_rate", "achieved_rate", "throughput")),
            quantity.seconds(row["latency"]["p50"]),
            quantity.seconds(row["latency"]["p99"]),
            quantity.share(row["attainment"]),
            f"{row['in_flight']:,}",
            f"{row['failed']:,}",
        )
    return layout
