"""The OpenAI images dialect: generations (JSON) and edits (a form)."""

import re
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from loadgen.simulator.dialects.form import Form, read_form
from loadgen.simulator.engine.generation import Generation, RefusalError, generation, json_fields, require

generations: Final = "/v1/images/generations"
edits: Final = "/v1/images/edits"
_SIZE: Final = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")


async def receive(request: web.Request) -> Generation:
    """Parse a text-to-image request; raises RefusalError."""
    return parse(await request.read())


async def receive_edit(request: web.Request) -> Generation:
    """Parse the form of an image edit; raises RefusalError."""
    return parse_edit(await read_form(request))


def parse(body: bytes) -> Generation:
    """Parse a request body; raises RefusalError if it is invalid."""
    fields = json_fields(body)
    require(isinstance(fields.get("model", ""), str), "model must be a string")
    return _generation(fields)


def parse_edit(form: Form) -> Generation:
    """Parse an edit form, whose `image` parts must be images; raises RefusalError if it is invalid."""
    form.require_images(("image", "image[]"), least=1, most=16)
    fields = form.typed_fields()
    require(bool(fields.get("prompt")), "prompt is missing")
    return _generation(fields)


def _generation(fields: Mapping[str, object]) -> Generation:
    require(fields.get("response_format", "b64_json") == "b64_json", "response_format must be b64_json")
    return generation(fields.get("prompt"), {**fields, **sides(fields.get("size"))})


def sides(size: object) -> dict[str, int]:
    """Return width and height of a size as text; nothing for None. Raises RefusalError."""
    if size is None:
        return {}
    match = _SIZE.fullmatch(size) if isinstance(size, str) else None
    if match is None:
        raise RefusalError("size must be WIDTHxHEIGHT, such as 1024x1024")
    return {"width": int(match[1]), "height": int(match[2])}
