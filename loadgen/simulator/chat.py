"""The chat dialect as a server reads it: a body becomes a generation, or a refusal that says why."""

import base64
import binascii
import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import orjson

from loadgen import media

_SIDE: Final = 1024  # pixels, where the request names no size
_MAX_SIDE: Final = 16_384
_MAX_FRAMES: Final = 10_000
_MAX_STEPS: Final = 10_000
_ROLES: Final = ("system", "user", "assistant")
_DATA_URL: Final = re.compile(r"data:(image/[\w.+-]+);base64,")


class BadRequestError(Exception):
    """A request that a server answers by 400; the message says why."""


@dataclass(frozen=True, slots=True)
class Generation:
    """What a valid request asks for; `frames` and `steps` are 1 where it does not say."""

    prompt: str
    width: int
    height: int
    frames: int
    steps: int

    @property
    def units(self) -> int | float:
        """Work in units: max(w*h/256, 1) * frames * steps."""
        return max(self.width * self.height / 256, 1) * self.frames * self.steps


def parse(body: bytes) -> Generation:
    """Read the body of a request; raises BadRequestError where a server would refuse it."""
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError as fault:
        raise BadRequestError(f"the body is not JSON: {fault}") from fault
    _demand(isinstance(payload, dict), "the body must be a JSON object")
    _demand(isinstance(payload.get("model", ""), str), "model must be a string")
    prompt = _prompt(payload.get("messages"))
    extra = payload.get("extra_body")
    extra = {} if extra is None else extra
    _demand(isinstance(extra, dict), "extra_body must be an object")
    _check_extra(extra)
    return Generation(
        prompt,
        width=_count(extra, "width", _SIDE, _MAX_SIDE),
        height=_count(extra, "height", _SIDE, _MAX_SIDE),
        frames=_count(extra, "num_frames", 1, _MAX_FRAMES),
        steps=_count(extra, "num_inference_steps", 1, _MAX_STEPS),
    )


def _demand(holds: bool, rule: str) -> None:
    if not holds:
        raise BadRequestError(rule)


def _prompt(messages: object) -> str:
    """Return the text of the last user message, all messages being well-formed."""
    if not isinstance(messages, list) or not messages:
        raise BadRequestError("messages must be a list of at least one message")
    prompt = None
    for i, message in enumerate(messages):
        place = f"messages[{i}]"
        _demand(isinstance(message, dict), f"{place} must be an object")
        _demand(message.get("role") in _ROLES, f"{place}.role must be one of {', '.join(_ROLES)}")
        text = _text(message.get("content"), f"{place}.content")
        prompt = text if message["role"] == "user" else prompt
    if prompt is None:
        raise BadRequestError("messages must hold one of role user")
    return prompt


def _text(content: object, place: str) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not content:
        raise BadRequestError(f"{place} must be a string or a list of at least one part")
    return "".join(_part(part, f"{place}[{i}]") for i, part in enumerate(content))


def _part(part: object, place: str) -> str:
    """Return the text of one part; an image has none but must be one."""
    match part:
        case {"type": "text", "text": str(text)}:
            return text
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            if problem := _image_problem(url):
                raise BadRequestError(f"{place}.image_url.url {problem}")
            return ""
        case _:
            raise BadRequestError(f"{place} must be a text part with its text or an image_url part with its url")


@lru_cache(maxsize=32)  # requests repeat their images; decoding one may take milliseconds
def _image_problem(url: str) -> str | None:
    head = _DATA_URL.match(url)
    if head is None:
        return "must be data:image/...;base64,..."
    try:
        data = base64.b64decode(url[head.end() :], validate=True)
    except (binascii.Error, ValueError) as fault:
        return f"is not base64: {fault}"
    found = media.describe(data)
    if found is None or found.kind != "image" or found.width is None:
        return "is not a PNG, JPEG or WebP image"
    return None if found.mime == head[1] else f"says {head[1]} and is {found.mime}"


def _check_extra(extra: dict[str, object]) -> None:
    """Check the fields of extra_body that do not change the answer; unknown ones pass, as on a real server."""
    seed, fps, negative = (extra.get(key) for key in ("seed", "fps", "negative_prompt"))
    _demand(seed is None or _is_int(seed), "extra_body.seed must be an integer")
    positive = isinstance(fps, int | float) and not isinstance(fps, bool) and 0 < fps < math.inf
    _demand(fps is None or positive, "extra_body.fps must be a positive number")
    _demand(negative is None or isinstance(negative, str), "extra_body.negative_prompt must be a string")


def _count(extra: dict[str, object], key: str, default: int, limit: int) -> int:
    value = extra.get(key)
    if value is None:
        return default
    if not isinstance(value, int) or not _is_int(value) or not 1 <= value <= limit:
        raise BadRequestError(f"extra_body.{key} must be an integer from 1 to {limit}")
    return value


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
