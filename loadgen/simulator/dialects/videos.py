"""The OpenAI videos dialect: a form, with at most one input image or video."""

from typing import Final

from aiohttp import web

from loadgen.simulator.dialects.form import Form, read_form
from loadgen.simulator.engine.generation import Generation, generation, require

jobs: Final = "/v1/videos"
sync: Final = "/v1/videos/sync"


async def receive(request: web.Request) -> Generation:
    """Read and parse the form of a request; raises RefusalError if it is invalid."""
    return parse(await read_form(request))


def parse(form: Form) -> Generation:
    """Parse a form; raises RefusalError if it is invalid."""
    if any(upload.field == "video_reference" for upload in form.uploads):
        form.require_video("video_reference")
    else:
        form.require_images(("input_reference",), least=0, most=1)
    fields = form.typed_fields()
    require("prompt" in fields, "prompt is missing")
    return generation(fields["prompt"], fields)
