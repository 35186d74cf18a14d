"""The chat completions dialect: parses and validates a request body."""

import base64
import binascii
import re
from functools import lru_cache
from typing import Final

from aiohttp import web

from loadgen.simulator.engine.engine import Engine
from loadgen.simulator.engine.generation import (
    Generation,
    RefusalError,
    generation,
    image_problem,
    json_fields,
    require,
)
from loadgen.simulator.engine.profile import Profile
from loadgen.simulator.engine.synchronous import synchronous

_PATH: Final = "/v1/chat/completions"
_ROLES: Final = ("system", "user", "assistant")
_DATA_URL: Final = re.compile(r"data:(image/[\w.+-]+);base64,")


def add_routes(router: web.UrlDispatcher, engine: Engine, profile: Profile) -> None:
    """Add the route of chat completions."""
    router.add_post(_PATH, synchronous(engine, "chat", receive, profile.completion))


async def receive(request: web.Request) -> Generation:
    """Read and parse a request; raises RefusalError if it is invalid."""
    return parse(await request.read())


def parse(body: bytes) -> Generation:
    """Parse a request body; raises RefusalError if it is invalid."""
    payload = json_fields(body)
    require(isinstance(payload.get("model", ""), str), "model must be a string")
    prompt = _prompt(payload.get("messages"))
    extra = payload.get("extra_body")
    extra = {} if extra is None else extra
    if not isinstance(extra, dict):
        raise RefusalError("extra_body must be an object")
    outputs = extra.get("num_outputs_per_prompt")
    return generation(prompt, extra if outputs is None else {**extra, "n": outputs}, "extra_body.")


def _prompt(messages: object) -> str:
    """Return the text of the last user message, all messages being well-formed."""
    if not isinstance(messages, list) or not messages:
        raise RefusalError("messages must be a list of at least one message")
    prompt = None
    for i, message in enumerate(messages):
        place = f"messages[{i}]"
        require(isinstance(message, dict), f"{place} must be an object")
        require(message.get("role") in _ROLES, f"{place}.role must be one of {', '.join(_ROLES)}")
        text = _text(message.get("content"), f"{place}.content")
        prompt = text if message["role"] == "user" else prompt
    if prompt is None:
        raise RefusalError("messages must hold one of role user")
    return prompt


def _text(content: object, place: str) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not content:
        raise RefusalError(f"{place} must be a string or a list of at least one part")
    return "".join(_part(part, f"{place}[{i}]") for i, part in enumerate(content))


def _part(part: object, place: str) -> str:
    """Return the text of one part; an image has none but must be one."""
    match part:
        case {"type": "text", "text": str(text)}:
            return text
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            if problem := _url_problem(url):
                raise RefusalError(f"{place}.image_url.url {problem}")
            return ""
        case {"type": "video_url", "video_url": {"url": str()}}:
            return ""
        case _:
            raise RefusalError(f"{place} must be a text part with its text or an image_url part with its url")


@lru_cache(maxsize=32)  # requests repeat their images; decoding one may take milliseconds
def _url_problem(url: str) -> str | None:
    head = _DATA_URL.match(url)
    if head is None:
        return "must be data:image/...;base64,..."
    try:
        data = base64.b64decode(url[head.end() :], validate=True)
    except (binascii.Error, ValueError) as fault:
        return f"is not base64: {fault}"
    return image_problem(data, head[1])
