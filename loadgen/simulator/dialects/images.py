"""Pictures as the OpenAI API asks for them, by JSON or by a form, and their answer."""

import re
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from loadgen.simulator.dialects.form import Form, read_form
from loadgen.simulator.engine.generation import Generation, RefusalError, demand, generation, json_fields

generations: Final = "/v1/images/generations"
edits: Final = "/v1/images/edits"
_SIZE: Final = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")


async def receive(request: web.Request) -> Generation:
    """Read a request for pictures from text; raises RefusalError."""
    return parse(await request.read())


async def receive_edit(request: web.Request) -> Generation:
    """Read the form of a request for pictures from pictures; raises RefusalError."""
    return parse_edit(await read_form(request))


def parse(body: bytes) -> Generation:
    """Read the body of a request; raises RefusalError where a server would refuse it."""
    fields = json_fields(body)
    demand(isinstance(fields.get("model", ""), str), "model must be a string")
    return _generation(fields)


def parse_edit(form: Form) -> Generation:
    """Read a form, whose parts `image` must be images; raises RefusalError where a server would refuse it."""
    form.demand_images(("image", "image[]"), least=1, most=16)
    fields = form.numbered()
    demand(bool(fields.get("prompt")), "prompt is missing")
    return _generation(fields)


def _generation(fields: Mapping[str, object]) -> Generation:
    demand(fields.get("response_format", "b64_json") == "b64_json", "response_format must be b64_json")
    return generation(fields.get("prompt"), {**fields, **_sides(fields.get("size"))})


def _sides(size: object) -> dict[str, int]:
    if size is None:
        return {}
    found = _SIZE.fullmatch(size) if isinstance(size, str) else None
    if found is None:
        raise RefusalError("size must be WIDTHxHEIGHT, such as 1024x1024")
    return {"width": int(found[1]), "height": int(found[2])}
