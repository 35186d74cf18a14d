"""The backend `dynamo/videos`: POST /v1/videos of NVIDIA Dynamo, JSON that is answered once the video is ready."""

from typing import Final

from collector.records.record import ErrorKind
from loadgen.backends import image_generations
from loadgen.bodies import media_size
from loadgen.bodies.base64_elision import B64_JSON
from loadgen.bodies.fields import dumps, label, without_nulls
from loadgen.bodies.job_status import State, state_of
from loadgen.bodies.json_body import success_object
from loadgen.bodies.parsed_answer import ParsedAnswer
from loadgen.bodies.request import Request
from loadgen.datasets.input_images import data_url
from loadgen.datasets.sample import Sample
from loadgen.errors import UsageError
from loadgen.options import IMAGE_INPUT_TASKS

name: Final = "dynamo/videos"
path: Final = "/v1/videos"
tasks: Final = ("t2v", "i2v", "ti2v")
needs_authorization: Final = False
takes_n: Final = False
headers: Final[tuple[str, ...]] = ()
requested_size = media_size.from_sides
media = image_generations.media

_NVEXT: Final = frozenset(
    {"fps", "num_frames", "num_inference_steps", "guidance_scale", "guidance_scale_2", "seed", "negative_prompt"}
    | {"boundary_ratio", "annotations"}
)


def encode(sample: Sample, model: str, task: str) -> Request:
    """Encode the JSON body: what is particular to diffusion goes into `nvext`, as do extra fields of those names.

    Extra fields override all but model and prompt. Raises InputError for an image that cannot be read, and UsageError
    for more than one image or a value that JSON cannot hold.
    """
    extra = {key: value for key, value in sample.extra.items() if key not in ("width", "height")}
    nested = extra.pop("nvext", None)
    nvext = {
        "fps": sample.fps,
        "num_frames": sample.num_frames,
        "num_inference_steps": sample.num_inference_steps,
        "seed": sample.seed,
        **{key: extra.pop(key) for key in _NVEXT & extra.keys()},
        **(nested if isinstance(nested, dict) else {}),
    }
    top = {"size": _size(sample), "response_format": "b64_json", "input_reference": _image(sample, task), **extra}
    payload = without_nulls(top) | {"model": model, "prompt": sample.prompt}
    if fields := without_nulls(nvext):
        payload["nvext"] = fields
    return Request("POST", path, "application/json", dumps(payload, sample))


def _size(sample: Sample) -> str | None:
    width, height = (sample.extra.get(key, own) for key, own in (("width", sample.width), ("height", sample.height)))
    return None if width is None or height is None else f"{width}x{height}"


def _image(sample: Sample, task: str) -> str | None:
    images = sample.images if task in IMAGE_INPUT_TASKS else ()
    if len(images) > 1:
        raise UsageError(f"{label(sample)}: has {len(images)} images, and --backend {name} takes one; drop the others")
    return data_url(images[0]) if images else None


def read(body: bytes | bytearray | memoryview, task: str, n: int = 1) -> ParsedAnswer:
    """Parse a 200 body: a success has a video as base64 in `data[*].b64_json`.

    Dynamo answers 200 for a failed generation too, so `status` and `error` count.
    """
    answer = success_object(body, B64_JSON)
    if isinstance(answer, ParsedAnswer):
        return answer
    status = answer.get("status")
    if isinstance(status, str) and state_of(status) is State.FAILED:
        return ParsedAnswer(ErrorKind.SERVER_ERROR, f"the answer's status is {status}, and no error says why")
    return image_generations.read(body, task, n)
