"""The endpoint `openai`: POST /v1/images/generations, pictures from text."""

import base64
from collections.abc import Iterator
from typing import Final

import orjson

from collector.records.record import ErrorKind
from loadgen.bodies import media_size
from loadgen.bodies.base64_elision import B64_JSON
from loadgen.bodies.base64_text import Base64Text
from loadgen.bodies.fields import dumps, said, size
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
asked_size = media_size.of_text


def encode(sample: Sample, model: str, task: str) -> Request:
    """Write the JSON body; extras win over all of it but model and prompt. UsageError where JSON cannot hold them."""
    fields = {
        "n": 1,
        "size": size(sample),
        "response_format": "b64_json",
        "seed": sample.seed,
        "num_inference_steps": sample.num_inference_steps,
    }
    payload = said({**fields, **sample.extra}) | {"model": model, "prompt": sample.prompt}
    return Request("POST", path, "application/json", dumps(payload, sample))


def read(body: bytes | bytearray | memoryview, task: str, n: int = 1) -> ParsedAnswer:
    """Say what a 200 body holds: a success carries at least `n` pictures as base64 in `data[*].b64_json`."""
    answer = success_object(body, B64_JSON)
    if isinstance(answer, ParsedAnswer):
        return answer
    data = answer.get("data")
    if not isinstance(data, list):
        return ParsedAnswer(ErrorKind.INVALID_BODY, "data is not a list")
    pictures = tuple(Base64Text(text, body) for text in _pictures(data))
    if len(pictures) < n:
        held = ", ".join(map(str, data[0])) if data and isinstance(data[0], dict) else "nothing"
        detail = f"{len(pictures)} of {n} images in data, whose first item holds: {held}"
        return ParsedAnswer(ErrorKind.NO_MEDIA, short(detail))
    return success((answer.get("usage"), answer.get("metrics"), answer, data[0]), pictures)


def media(body: bytes) -> Iterator[bytes]:
    """Decode the pictures of a body that `read` took for a success."""
    for text in _pictures(orjson.loads(body)["data"]):
        yield base64.b64decode(text)


def _pictures(data: list[object]) -> Iterator[str]:
    for item in data:
        text = item.get("b64_json") if isinstance(item, dict) else None
        if isinstance(text, str) and text:
            yield text
