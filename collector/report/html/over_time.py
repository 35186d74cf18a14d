"""The table of figures per time interval, for a run whose rate changes."""

from collections.abc import Mapping
from typing import Any

from collector.report.html.figures import interval, latency_name
from collector.report.html.markup import Cell, section, table
from collector.text import quantity


def over_time(result: Mapping[str, Any]) -> str:
    """Return the section; empty for a run of one rate."""
    if not result["over_time"]:
        return ""
    latency = latency_name(result)
    heads = [
        Cell("from"),
        Cell("requested"),
        Cell("sent"),
        Cell("succeeded"),
        Cell("p50", latency),
        Cell("p99", latency),
    ]
    heads += [Cell("p50", "service"), Cell("p99", "wait; lag"), Cell("SLO met"), Cell("in flight", "max"), Cell("n")]
    level = quantity.share(result["confidence"])
    caption = (
        "Equal time intervals; latency and SLO of the requests due in each, sent, succeeded and in flight by time of"
        f" event; below p50 and p99 their {level} CI"
    )
    return section("Figures over time", table(caption, heads, map(_row, result["over_time"])))


def _row(own: Mapping[str, Any]) -> list[Cell | str]:
    latency = own["latency"]
    return [
        Cell(quantity.seconds(own["from_s"]) if own["from_s"] else "0 s", f"to {quantity.seconds(own['to_s'])}"),
        *(Cell(quantity.rate(own[name])) for name in ("asked_rate", "achieved_rate", "throughput")),
        *(Cell(quantity.seconds(latency[key]), interval(latency, key)) for key in ("p50", "p99")),
        Cell(quantity.seconds(own["service_p50"])),
        Cell(quantity.seconds(own["wait_p99"]), quantity.seconds(own["lag_p99"])),
        Cell(quantity.share(own["attainment"])),
        Cell(f"{own['in_flight']:,}"),
        Cell(f"{own['requests']:,}", f"{own['failed']:,} failed"),
    ]
