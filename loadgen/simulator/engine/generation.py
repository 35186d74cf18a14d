"""A generation: a validated request, whatever its dialect, and the validation rules that dialects share."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from loadgen.media import headers

_SIZE: Final = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")
_SIDE: Final = 1024  # pixels, where the request names no size
_MAX_SIDE: Final = 16_384
_MAX_FRAMES: Final = 10_000
_MAX_STEPS: Final = 10_000
_MAX_IMAGES: Final = 16


class RefusalError(Exception):
    """A request that the server rejects; the message says why, `status` is the HTTP status of the answer."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Generation:
    """`n` images or one video to generate; frames, steps and n default to 1. `fields` are those of the request."""

    prompt: str
    width: int
    height: int
    frames: int
    steps: int
    n: int = 1
    fields: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)

    @property
    def units(self) -> int | float:
        """Work in units: max(w*h/256, 1) * frames * steps, for each image."""
        return max(self.width * self.height / 256, 1) * self.frames * self.steps * self.n


def generation(prompt: object, fields: Mapping[str, object], place: str = "") -> Generation:
    """Validate the fields that dialects share; unknown fields are ignored, as on a real server.

    Raises RefusalError that names the field, prefixed by `place`.
    """
    if not isinstance(prompt, str):
        raise RefusalError("prompt must be a string")
    seed, fps, negative = (fields.get(key) for key in ("seed", "fps", "negative_prompt"))
    require(seed is None or _is_int(seed), f"{place}seed must be an integer")
    require(fps is None or _is_positive(fps), f"{place}fps must be a positive number")
    require(negative is None or isinstance(negative, str), f"{place}negative_prompt must be a string")
    return Generation(
        prompt,
        width=_count(fields, "width", _SIDE, _MAX_SIDE, place),
        height=_count(fields, "height", _SIDE, _MAX_SIDE, place),
        frames=_count(fields, "num_frames", 1, _MAX_FRAMES, place),
        steps=_count(fields, "num_inference_steps", 1, _MAX_STEPS, place),
        n=_count(fields, "n", 1, _MAX_IMAGES, place),
        fields=fields,
    )


def require(holds: bool, rule: str) -> None:
    """Raise RefusalError with the message `rule` unless `holds`."""
    if not holds:
        raise RefusalError(rule)


def json_fields(body: bytes) -> dict[str, Any]:
    """Parse a body that must be a JSON object; raises RefusalError."""
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as fault:
        raise RefusalError(f"the body is not JSON: {fault}") from fault
    if not isinstance(fields, dict):
        raise RefusalError("the body must be a JSON object")
    return fields


def sides(size: object) -> dict[str, int]:
    """Return the width and height of a `size` such as 1024x1024, nothing of None; raises RefusalError."""
    if size is None:
        return {}
    match = _SIZE.fullmatch(size) if isinstance(size, str) else None
    if match is None:
        raise RefusalError("size must be WIDTHxHEIGHT, such as 1024x1024")
    return {"width": int(match[1]), "height": int(match[2])}


def image_problem(data: bytes, mime: str) -> str | None:
    """Return what is wrong with an input image of the declared type `mime`, or None."""
    found = headers.describe(data)
    if found is None or found.kind != "image" or found.width is None:
        return "is not a PNG, JPEG or WebP image"
    return None if found.mime == mime else f"is declared as {mime} but is {found.mime}"


def _count(fields: Mapping[str, object], key: str, default: int, limit: int, place: str) -> int:
    value = fields.get(key)
    if value is None:
        return default
    if not isinstance(value, int) or not _is_int(value) or not 1 <= value <= limit:
        raise RefusalError(f"{place}{key} must be an integer from 1 to {limit}")
    return value


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
