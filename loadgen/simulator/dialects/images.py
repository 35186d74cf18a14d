"""The OpenAI images dialect: generations (JSON), edits (a form), and images by URL."""

from collections.abc import Mapping
from functools import partial
from typing import Final

from aiohttp import web

from loadgen.media import headers
from loadgen.simulator.dialects.form import Form, read_form
from loadgen.simulator.engine import answer
from loadgen.simulator.engine.answer import Payload
from loadgen.simulator.engine.engine import Engine
from loadgen.simulator.engine.generation import Generation, RefusalError, generation, json_fields, require, sides
from loadgen.simulator.engine.profile import Profile
from loadgen.simulator.engine.request_log import LogEntry
from loadgen.simulator.engine.synchronous import synchronous
from loadgen.simulator.servers.simulated import ANY

_GENERATIONS: Final = "/v1/images/generations"
_EDITS: Final = "/v1/images/edits"
_CONTENT: Final = "/v1/images/{name}/content"


def add_routes(router: web.UrlDispatcher, engine: Engine, profile: Profile) -> None:
    """Add the routes of generations and edits, and of images by URL where the server gives URLs."""

    async def receive(request: web.Request) -> Generation:
        return parse(await request.read(), profile)

    async def receive_edit(request: web.Request) -> Generation:
        return parse_edit(await read_form(request), profile)

    router.add_post(_GENERATIONS, synchronous(engine, "generations", receive, profile.images))
    router.add_post(_EDITS, synchronous(engine, "edits", receive_edit, profile.images))
    if profile.url_format:
        router.add_get(_CONTENT, partial(_send_image, engine))


def parse(body: bytes, profile: Profile = ANY) -> Generation:
    """Parse a request body; raises RefusalError if it is invalid."""
    fields = json_fields(body)
    require(isinstance(fields.get("model", ""), str), "model must be a string")
    return _generation({"response_format": profile.generations_format, **fields}, profile)


def parse_edit(form: Form, profile: Profile = ANY) -> Generation:
    """Parse an edit form, whose `image` parts must be images; raises RefusalError if it is invalid."""
    if profile is not ANY and not form.uploads:
        raise RefusalError("Field 'image' or 'url' is required", profile.no_picture_status)
    form.require_images(("image", "image[]"), least=1, most=16)
    fields = {"response_format": "b64_json", **form.typed_fields()}
    require(bool(fields.get("prompt")), "prompt is missing")
    if profile.takes_auto_size and fields.get("size") == "auto":
        del fields["size"]
    if profile.edits_follow_picture and "size" not in fields:
        fields |= _picture_sides(form)
    return _generation(fields, profile)


def _generation(fields: Mapping[str, object], profile: Profile) -> Generation:
    formats = ("b64_json", "url") if profile.url_format else ("b64_json",)
    require(fields["response_format"] in formats, f"response_format must be {' or '.join(formats)}")
    n = fields.get("n")
    if isinstance(n, int) and n > profile.most_images:
        require(profile.clamps_images, f"n must be an integer from 1 to {profile.most_images}")
        fields = {**fields, "n": profile.most_images}
    return generation(fields.get("prompt"), {**fields, **sides(fields.get("size"))})


def _picture_sides(form: Form) -> dict[str, object]:
    picture = headers.describe(form.uploads[0].data)
    return {"width": picture.width, "height": picture.height} if picture else {}


async def _send_image(engine: Engine, request: web.Request) -> web.StreamResponse:
    found = answer.named_image(request.match_info["name"], engine.options)
    payload = engine.refusal("Image not found", 404) if found is None else Payload(found[0], content_type=found[1])
    return await engine.send(request, LogEntry(0, 0), payload)
