"""Figures that a server reports about its own work: stage and inference times, peak memory; in bodies or headers.

A value that makes no sense is taken for unknown: it costs that figure, not the answer.
"""

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
    """Return a success with each figure of the first source that has it; sources that are not objects are skipped."""
    objects = [source for source in sources if isinstance(source, dict)]
    return ParsedAnswer(
        stage_durations=_stage_durations(objects),
        peak_memory_mb=_positive(objects, "peak_memory_mb"),
        inference_s=_positive(objects, "inference_time_s"),
        media=media,
    )


def with_headers(parsed: ParsedAnswer, headers: Mapping[str, str]) -> ParsedAnswer:
    """Add the figures in the headers of a success; header names are lower case."""
    values = {key: found for key in HEADERS if (found := _value(headers.get(key))) is not None}
    stages = _stage_durations([{"stage_durations": values.get("x-stage-durations")}])
    memory_mb = _positive([values], "x-peak-memory-mb")
    inference_s = _positive([values], "x-inference-time-s")
    return replace(
        parsed,
        stage_durations={**parsed.stage_durations, **stages},
        peak_memory_mb=parsed.peak_memory_mb if math.isnan(memory_mb) else memory_mb,
        inference_s=parsed.inference_s if math.isnan(inference_s) else inference_s,
    )


def _value(text: str | None) -> object:
    try:
        return orjson.loads(text) if text else None
    except orjson.JSONDecodeError:
        return None


def _stage_durations(sources: Sequence[Mapping[str, object]]) -> dict[str, float]:
    """The stages of the first source that has any; some servers send an empty object beside the real one."""
    for source in sources:
        stages = source.get("stage_durations")
        if isinstance(stages, dict):
            known = {stage: value for stage, held in stages.items() if (value := amount(held)) is not None}
            if known:
                return known
    return {}


def _positive(sources: Sequence[Mapping[str, object]], key: str) -> float:
    """The first amount above 0, nan if there is none: servers send 0, and less, for "not known"."""
    amounts = (amount(source.get(key)) for source in sources)
    return next((found for found in amounts if found), math.nan)


def amount(value: object) -> float | None:
    """Return a number from 0 to 1e30 as a float, and None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < _LARGEST else None
