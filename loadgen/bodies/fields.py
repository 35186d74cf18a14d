"""Request fields: the values of a sample, as JSON or form fields."""

from collections.abc import Mapping

import orjson

from loadgen.datasets.sample import Sample
from loadgen.errors import UsageError


def without_nulls(fields: Mapping[str, object]) -> dict[str, object]:
    """Return the fields that are not None; the server chooses the others."""
    return {key: value for key, value in fields.items() if value is not None}


def with_count(extra: Mapping[str, object], key: str) -> dict[str, object]:
    """Return the extra fields with the number of outputs, which is `n` there, under the key that the API wants."""
    return {key if field == "n" else field: value for field, value in extra.items()}


def generation_fields(sample: Sample) -> dict[str, object]:
    """Return size, frames, steps, seed and fps; height and width are None unless both are known."""
    has_size = sample.width is not None and sample.height is not None
    return {
        "height": sample.height if has_size else None,
        "width": sample.width if has_size else None,
        "num_frames": sample.num_frames,
        "num_inference_steps": sample.num_inference_steps,
        "seed": sample.seed,
        "fps": sample.fps,
    }


def dumps(value: object, sample: Sample) -> bytes:
    """Return `value` as JSON; raises UsageError that names the sample if JSON cannot represent it."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError as fault:
        raise UsageError(f"{label(sample)}: JSON cannot hold a value of it ({fault}); change that value") from fault


def size_text(sample: Sample) -> str | None:
    """Return WxH in pixels; None, which leaves it to the server, unless both are known."""
    if sample.width is None or sample.height is None:
        return None
    return f"{sample.width}x{sample.height}"


def label(sample: Sample) -> str:
    """Return the name of a sample for messages."""
    return f"sample {sample.request_id or sample.prompt[:40]!r}"
