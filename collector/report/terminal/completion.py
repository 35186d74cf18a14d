"""Sentences on the resolution of polled completion times, and the SLO results that it leaves undecided."""

from collections.abc import Iterator, Mapping
from typing import Any

from collector.text import quantity

_SHOWN = (("p50", "p50"), ("p99", "p99"), ("max", "max"))


def resolution(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield sentences on the resolution and on failed polls; none where nothing was polled."""
    if width := result.get("completion_width"):
        parts = ", ".join(f"{label} {quantity.seconds(width[key])}" for label, key in _SHOWN)
        yield f"Completion of a job is known to within {parts} (polling); response and service use the upper bound."
    if failed := result.get("failed_polls"):
        yield f"{failed:,} polls failed and were repeated: the completion of those jobs is known less precisely."


def undecided(slo: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence on the targets within the resolution; none where all are decided."""
    if slo.get("undecided"):
        upper = quantity.share(slo["attainment_upper"])
        yield (
            f"{slo['undecided']:,} not met are undecided within the polling interval: "
            f"attainment is {upper} if all met it."
        )
