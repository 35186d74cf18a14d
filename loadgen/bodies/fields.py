"""Encoding: the values of a sample as JSON or as form fields, without those that are not said."""

from collections.abc import Mapping

import orjson

from loadgen.datasets.sample import Sample
from loadgen.errors import UsageError


def said(fields: Mapping[str, object]) -> dict[str, object]:
    """Return the fields that have a value; null leaves a field to the server."""
    return {key: value for key, value in fields.items() if value is not None}


def shape(sample: Sample) -> dict[str, object]:
    """Return the fields that say size and effort; height and width only where both are known."""
    sized = sample.width is not None and sample.height is not None
    return {
        "height": sample.height if sized else None,
        "width": sample.width if sized else None,
        "num_frames": sample.num_frames,
        "num_inference_steps": sample.num_inference_steps,
        "seed": sample.seed,
        "fps": sample.fps,
    }


def dumps(value: object, sample: Sample) -> bytes:
    """Return `value` as JSON; raise UsageError, naming the sample, where JSON cannot hold it."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError as fault:
        raise UsageError(f"{row(sample)}: JSON cannot hold a value of it ({fault}); change that value") from fault


def size(sample: Sample) -> str:
    """Return WxH in pixels; 1024x1024 unless both are known."""
    if sample.width is None or sample.height is None:
        return "1024x1024"
    return f"{sample.width}x{sample.height}"


def row(sample: Sample) -> str:
    """Name a sample in a message."""
    return f"sample {sample.request_id or sample.prompt[:40]!r}"
