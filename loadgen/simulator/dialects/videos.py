"""The OpenAI videos dialect: a form, or JSON where the server takes it, with at most one input image or video."""

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from loadgen.simulator.dialects.form import Form, read_form
from loadgen.simulator.engine import answer
from loadgen.simulator.engine.engine import Engine
from loadgen.simulator.engine.generation import Generation, generation, json_fields, require, sides
from loadgen.simulator.engine.profile import Profile
from loadgen.simulator.engine.synchronous import synchronous
from loadgen.simulator.servers.simulated import ANY

_VIDEO: Final = "video_reference"
_SYNC: Final = "/v1/videos/sync"
_FPS: Final = 24
_SECONDS: Final = 4
_MOST_OUTPUTS: Final = 10


def add_routes(router: web.UrlDispatcher, engine: Engine, profile: Profile) -> None:
    """Add the route of videos that are answered once they are ready."""

    async def receive_here(request: web.Request) -> Generation:
        return await receive(request, profile)

    router.add_post(_SYNC, synchronous(engine, "sync", receive_here, answer.bare_video))


async def receive(request: web.Request, profile: Profile) -> Generation:
    """Read and parse a request; raises RefusalError if it is invalid."""
    if profile.json_jobs and not request.content_type.startswith("multipart/"):
        return _generation(json_fields(await request.read()), profile)
    return parse(await read_form(request), profile)


def parse(form: Form, profile: Profile = ANY) -> Generation:
    """Parse a form; raises RefusalError if it is invalid."""
    if profile.video_files and any(upload.field == _VIDEO for upload in form.uploads):
        form.require_video(_VIDEO)
    else:
        form.require_images(("input_reference",), least=0, most=1)
    if not profile.video_files and (reference := form.fields.get(_VIDEO)):
        require(isinstance(json_fields(reference.encode()).get("video_url"), str), f"{_VIDEO} must hold a video_url")
    return _generation(form.typed_fields(), profile)


def _generation(fields: Mapping[str, object], profile: Profile) -> Generation:
    require("prompt" in fields, "prompt is missing" if profile is ANY else "prompt is required")
    asked = {**profile.video_defaults, **sides(fields.get("size")), **fields}
    if profile.frames_by_seconds and "num_frames" not in fields:
        asked["num_frames"] = round(_number(fields, "fps", _FPS) * _number(fields, "seconds", _SECONDS))
    outputs = fields.get("num_outputs_per_prompt", fields.get("n"))
    asked["n"] = min(outputs, _MOST_OUTPUTS) if profile.video_outputs and isinstance(outputs, int) else 1
    return generation(asked["prompt"], asked)


def _number(fields: Mapping[str, object], key: str, default: int) -> float:
    value = fields.get(key)
    return value if isinstance(value, int | float) else default
