"""The backend `openai`: POST /v1/images/generations, text to image."""

from collections.abc import Iterator
from typing import Final

import orjson

from collector.records.record import ErrorKind
from loadgen.bodies import media_size, media_urls
from loadgen.bodies.base64_elision import B64_JSON
from loadgen.bodies.base64_text import Base64Text, decode
from loadgen.bodies.fields import dumps, size_text, without_nulls
from loadgen.bodies.json_body import short, success_object
from loadgen.bodies.parsed_answer import ParsedAnswer
from loadgen.bodies.request import Request
from loadgen.bodies.server_figures import success
from loadgen.datasets.sample import Sample

name: Final = "openai"
path: Final = "/v1/images/generations"
tasks: Final = ("t2i",)
needs_authorization: Final = True
takes_n: Final = True
headers: Final[tuple[str, ...]] = ()
requested_size = media_size.from_size_text
urls = media_urls.urls
with_media = media_urls.with_media


def encode(sample: Sample, model: str, task: str) -> Request:
    """Encode the JSON body; extra fields override all but model and prompt. UsageError if JSON cannot hold them."""
    fields = {
        "n": 1,
        "size": size_text(sample),
        "response_format": "b64_json",
        "seed": sample.seed,
        "num_inference_steps": sample.num_inference_steps,
    }
    payload = without_nulls({**fields, **sample.extra}) | {"model": model, "prompt": sample.prompt}
    return Request("POST", path, "application/json", dumps(payload, sample))


def read(body: bytes | bytearray | memoryview, task: str, n: int = 1) -> ParsedAnswer:
    """Parse a 200 body: a success has at least `n` images in `data[*].b64_json`, as base64 or data URLs."""
    answer = success_object(body, B64_JSON)
    if isinstance(answer, ParsedAnswer):
        return answer
    data = answer.get("data")
    if not isinstance(data, list):
        return ParsedAnswer(ErrorKind.INVALID_BODY, "data is not a list")
    images = tuple(Base64Text(text, body) for text in _images(data))
    if len(images) < n:
        return ParsedAnswer(ErrorKind.NO_MEDIA, short(_missing(data, len(images), n)))
    return success((answer.get("usage"), answer.get("metrics"), answer, data[0]), images)


def _missing(data: list[object], found: int, n: int) -> str:
    """What an answer with too few images holds instead."""
    first = data[0] if data and isinstance(data[0], dict) else {}
    if isinstance(url := first.get("url"), str) and url:
        return f"{found} of {n} images in data, and the URL {url[:100]}; --response-format url fetches it"
    return f"{found} of {n} images in data, whose first item holds: {', '.join(map(str, first)) or 'nothing'}"


def media(body: bytes) -> Iterator[bytes]:
    """Decode the images of a body that `read` parsed as a success."""
    for text in _images(orjson.loads(body)["data"]):
        yield decode(text)


def _images(data: list[object]) -> Iterator[str]:
    for item in data:
        text = item.get("b64_json") or media_urls.data_url(item) if isinstance(item, dict) else None
        if isinstance(text, str) and text:
            yield text
