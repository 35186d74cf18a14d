"""Figures that a server reports about its own work: stage durations and peak memory, in bodies or headers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import orjson

from loadgen.bodies.parsed_answer import ParsedAnswer
from loadgen.media.mp4_atoms import Readable

_LARGEST: Final = 1e30  # upper limit of a figure; fits the four-byte floats of a record
HEADERS: Final = ("x-inference-time-s", "x-stage-durations", "x-peak-memory-mb")  # of answers that are not JSON


def success(sources: Sequence[object], media: tuple[Readable, ...] = ()) -> ParsedAnswer:
    """Return a success with the figures of the first source that has them; sources that are not objects are skipped."""
    objects = [source for source in sources if isinstance(source, dict)]
    return ParsedAnswer(stage_durations=_stage_durations(objects), peak_memory_mb=_peak_memory_mb(objects), media=media)


def with_headers(parsed: ParsedAnswer, headers: Mapping[str, str]) -> ParsedAnswer:
    """Add the figures in the headers of a success; header names are lower case.

    X-Inference-Time-S becomes the stage `inference`, in seconds.
    """
    values = {key: found for key in HEADERS if (found := _value(headers.get(key))) is not None}
    inference_s = amount(values.get("x-inference-time-s"))
    own = {} if inference_s is None else {"inference": inference_s}
    stages = _stage_durations([{"stage_durations": values.get("x-stage-durations")}])
    memory_mb = _peak_memory_mb([{"peak_memory_mb": values.get("x-peak-memory-mb")}])
    known_mb = parsed.peak_memory_mb if math.isnan(memory_mb) else memory_mb
    return replace(parsed, stage_durations={**parsed.stage_durations, **stages, **own}, peak_memory_mb=known_mb)


def _value(text: str | None) -> object:
    try:
        return orjson.loads(text) if text else None
    except orjson.JSONDecodeError:
        return None


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
