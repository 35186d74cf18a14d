"""Figures: what a server says of its own work, wherever in the answer its dialect puts it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import orjson

from loadgen.bodies.parsed_answer import ParsedAnswer
from loadgen.media.mp4_atoms import Readable

_LARGEST: Final = 1e30  # of any figure: what a record's four-byte float can hold, with room to spare
HEADERS: Final = ("x-inference-time-s", "x-stage-durations", "x-peak-memory-mb")  # of an answer that is no JSON


def success(sources: Sequence[object], media: tuple[Readable, ...] = ()) -> ParsedAnswer:
    """Return a success with the figures of the first source that has them; what is no object is passed over."""
    objects = [source for source in sources if isinstance(source, dict)]
    return ParsedAnswer(stage_durations=_stage_durations(objects), peak_memory_mb=_peak_memory_mb(objects), media=media)


def with_headers(reply: ParsedAnswer, headers: Mapping[str, str]) -> ParsedAnswer:
    """Add what the headers of a success say, by lower-case name.

    The time that the server says a request took it, X-Inference-Time-S, is the stage `inference`, in seconds.
    """
    told = {key: found for key in HEADERS if (found := _value(headers.get(key))) is not None}
    inference_s = amount(told.get("x-inference-time-s"))
    own = {} if inference_s is None else {"inference": inference_s}
    stages = _stage_durations([{"stage_durations": told.get("x-stage-durations")}])
    memory_mb = _peak_memory_mb([{"peak_memory_mb": told.get("x-peak-memory-mb")}])
    known_mb = reply.peak_memory_mb if math.isnan(memory_mb) else memory_mb
    return replace(reply, stage_durations={**reply.stage_durations, **stages, **own}, peak_memory_mb=known_mb)


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
