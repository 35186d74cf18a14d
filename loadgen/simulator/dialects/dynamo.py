"""The videos dialect of NVIDIA Dynamo: JSON with `nvext`, answered once the video is ready.

As there, unknown top-level fields are kept, whole numbers must fit 32 or 64 bits, and a failed generation is a 200 with
`status: failed`.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import orjson
from aiohttp import web

from loadgen.simulator.engine import answer
from loadgen.simulator.engine.answer import Payload, PayloadBuilder, Timings
from loadgen.simulator.engine.engine import Engine
from loadgen.simulator.engine.generation import Generation, generation, json_fields, require, sides
from loadgen.simulator.engine.options import SimulatorOptions
from loadgen.simulator.engine.profile import Profile
from loadgen.simulator.engine.synchronous import synchronous

path: Final = "/v1/videos"
_FORMATS: Final = ("url", "b64_json")
_INTEGERS: Final = {"fps": 31, "num_frames": 31, "num_inference_steps": 31, "seed": 63}  # and their bits


def add_routes(router: web.UrlDispatcher, engine: Engine, _: Profile) -> None:
    """Add the route of videos."""
    router.add_post(path, handler(engine))


def handler(engine: Engine) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return the handler of the route."""
    return synchronous(engine, "videos", receive, prepare, failure)


async def receive(request: web.Request) -> Generation:
    """Read and parse a request; raises RefusalError if it is invalid."""
    return parse(await request.read())


def parse(body: bytes) -> Generation:
    """Parse a request body; raises RefusalError if it is invalid."""
    fields = json_fields(body)
    require(isinstance(fields.get("model"), str), "missing field `model`")
    require(isinstance(fields.get("input_reference", ""), str), "input_reference must be a string")
    require(fields.get("response_format", "url") in _FORMATS, "unknown variant, expected `url` or `b64_json`")
    nvext = fields.get("nvext") or {}
    require(isinstance(nvext, dict), "nvext must be an object")
    for key, bits in _INTEGERS.items():
        value = nvext.get(key)
        require(value is None or _fits(value, bits), f"nvext.{key} must be an integer of {bits + 1} bits")
    return generation(fields.get("prompt"), _merged(fields, nvext), "nvext.")


def _fits(value: object, bits: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -(1 << bits) <= value < 1 << bits


def _merged(fields: Mapping[str, Any], nvext: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a generation: `num_frames`, or else `seconds` times `fps`."""
    frames = nvext.get("num_frames")
    if frames is None and isinstance(seconds := fields.get("seconds"), int):
        frames = seconds * (nvext.get("fps") or 24)
    return {**nvext, **sides(fields.get("size")), "num_frames": frames, "model": fields.get("model")}


def prepare(generation: Generation, options: SimulatorOptions) -> PayloadBuilder:
    """Prepare the answer: the video as base64."""
    video = answer.text("", answer.video(generation, options))

    def build(timings: Timings) -> Payload:
        item = {"output_format": "mp4", "b64_json": video}
        top = {"id": "video-simulated", "object": "video", "model": options.model, "created": 0}
        status = {"status": "completed", "progress": 100, "inference_time_s": timings.service_s}
        return Payload(orjson.dumps({**top, **status, "data": [item]}))

    return build


def failure(options: SimulatorOptions) -> Payload:
    """The answer to a generation that failed."""
    top = {"id": "video-simulated", "object": "video", "model": options.model, "created": 0}
    return Payload(
        orjson.dumps({**top, "status": "failed", "progress": 0, "data": [], "error": "injected by --fail-rate"})
    )
