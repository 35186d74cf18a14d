"""Completion of jobs in words: how well polling knows it, and what it leaves undecided."""

from collections.abc import Iterator, Mapping
from typing import Any

from collector.text import quantity

_SHOWN = (("p50", "p50"), ("p99", "p99"), ("max", "max"))


def widths(result: Mapping[str, Any]) -> Iterator[str]:
    """Give a sentence on the widths of what is known; none where nothing was polled."""
    if width := result.get("completion_width"):
        parts = ", ".join(f"{label} {quantity.seconds(width[key])}" for label, key in _SHOWN)
        yield f"Completion of a job is known to within {parts}; response and service are the late end."


def undecided(slo: Mapping[str, Any]) -> Iterator[str]:
    """Give a sentence on the targets that lie inside what is known; none where that decides them all."""
    if slo.get("undecided"):
        upper = quantity.share(slo["attainment_upper"])
        yield f"{slo['undecided']:,} not met are undecided, for polls cannot tell: {upper} if they all had."
