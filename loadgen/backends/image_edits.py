"""The backend `v1/images/edits`: POST /v1/images/edits, a form with input images; same answers as `openai`."""

from typing import Final

from loadgen.backends import image_generations
from loadgen.bodies import multipart
from loadgen.bodies.fields import label, size_text, without_nulls
from loadgen.bodies.request import Request
from loadgen.datasets.input_images import read_image
from loadgen.datasets.sample import Sample
from loadgen.errors import UsageError

name: Final = "v1/images/edits"
path: Final = "/v1/images/edits"
tasks: Final = ("i2i", "ti2i", "it2i")
needs_authorization: Final = True
takes_n: Final = True
headers: Final[tuple[str, ...]] = ()

requested_size = image_generations.requested_size
read = image_generations.read
media = image_generations.media
urls = image_generations.urls
with_media = image_generations.with_media


def encode(sample: Sample, model: str, task: str) -> Request:
    """Encode the form, with one input image as `image`, or several as `image[]`.

    Extra fields override all but model and prompt. Raises InputError for an image that cannot be read and UsageError
    for a sample without images.
    """
    if not sample.images:
        raise UsageError(f"{label(sample)}: has no image, and --backend {name} edits images; name one by image_path")
    fields = {
        "size": size_text(sample),
        "response_format": "b64_json",
        "num_inference_steps": sample.num_inference_steps,
        "seed": sample.seed,
    }
    form_fields = without_nulls({**fields, **sample.extra}) | {"model": model, "prompt": sample.prompt}
    part = "image" if len(sample.images) == 1 else "image[]"
    files = [(part, read_image(image)) for image in sample.images]
    return Request("POST", path, multipart.CONTENT_TYPE, multipart.form(form_fields, files, sample))
