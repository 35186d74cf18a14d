"""Videos as the OpenAI API asks for them: a form, with a picture to begin from where there is one."""

from typing import Final

from aiohttp import web

from loadgen.simulator.dialects.form import Form, read_form
from loadgen.simulator.engine.generation import Generation, demand, generation

jobs: Final = "/v1/videos"
sync: Final = "/v1/videos/sync"


async def receive(request: web.Request) -> Generation:
    """Read the form of a request; raises RefusalError where a server would refuse it."""
    return parse(await read_form(request))


def parse(form: Form) -> Generation:
    """Read a form; raises RefusalError where a server would refuse it."""
    form.demand_images(("input_reference",), least=0, most=1)
    fields = form.numbered()
    demand("prompt" in fields, "prompt is missing")
    demand("n" not in fields, "n is not known here: a request makes one video")
    return generation(fields["prompt"], fields)
