"""The endpoint `v1/images/edits`: POST /v1/images/edits, a form with pictures in it; answers as `openai` does."""

from typing import Final

from loadgen.backends import image_generations
from loadgen.bodies import multipart
from loadgen.bodies.fields import row, said, size
from loadgen.bodies.request import Request
from loadgen.datasets.input_images import read_image
from loadgen.datasets.sample import Sample
from loadgen.errors import UsageError

name: Final = "v1/images/edits"
path: Final = "/v1/images/edits"
tasks: Final = ("i2i", "ti2i")
needs_authorization: Final = True
takes_n: Final = True
headers: Final[tuple[str, ...]] = ()

asked_size = image_generations.asked_size
read = image_generations.read
media = image_generations.media


def encode(sample: Sample, model: str, task: str) -> Request:
    """Write the form, a part `image` for each input image; extras win over all of it but model and prompt.

    Raises InputError for an image that cannot be read and UsageError for a sample without any.
    """
    if not sample.images:
        raise UsageError(f"{row(sample)}: has no image, and --backend {name} edits images; name one by image_path")
    fields = {
        "size": size(sample),
        "response_format": "b64_json",
        "num_inference_steps": sample.num_inference_steps,
        "seed": sample.seed,
    }
    whole = said({**fields, **sample.extra}) | {"model": model, "prompt": sample.prompt}
    files = [("image", read_image(image)) for image in sample.images]
    return Request("POST", path, multipart.CONTENT_TYPE, multipart.form(whole, files, sample))
