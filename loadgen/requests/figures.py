"""Figures: what a server says of its own work, wherever in the answer its dialect puts it."""

import math
from collections.abc import Sequence
from typing import Final

from loadgen.requests.reply import Reply

_LARGEST: Final = 1e30  # of any figure: what a record's four-byte float can hold, with room to spare


def success(sources: Sequence[object]) -> Reply:
    """Return a success with the figures of the first source that has them; what is no object is passed over."""
    objects = [source for source in sources if isinstance(source, dict)]
    return Reply(stage_durations=_stage_durations(objects), peak_memory_mb=_peak_memory_mb(objects))


def _stage_durations(sources: list[dict[str, object]]) -> dict[str, float]:
    for source in sources:
        stages = source.get("stage_durations")
        if isinstance(stages, dict):
            return {stage: value for stage, held in stages.items() if (value := amount(held)) is not None}
    return {}


def _peak_memory_mb(sources: list[dict[str, object]]) -> float:
    amounts = (amount(source.get("peak_memory_mb")) for source in sources)
    return next((found for found in amounts if found is not None), math.nan)


def amount(value: object) -> float | None:
    """Return a number from 0 to 1e30 as a float, and None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < _LARGEST else None
