"""The endpoint `vllm-omni`: POST /v1/chat/completions, for images and videos alike."""

import base64
import math
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

import orjson

from collector.record import ErrorKind
from loadgen.errors import UsageError
from loadgen.options import IMAGE_INPUT_TASKS, TASKS, VIDEO_TASKS
from loadgen.requests.cutting import without_media
from loadgen.requests.reply import Reply
from loadgen.requests.request import Request
from loadgen.samples.images import read_image
from loadgen.samples.sample import Sample

name: Final = "vllm-omni"
path: Final = "/v1/chat/completions"
tasks: Final = TASKS

_DETAIL_CHARS: Final = 200
_HEADER_CHARS: Final = 200  # of a data URL: its media type and parameters end before this
_PREFIXES: Final = {task: "data:video/" if task in VIDEO_TASKS else "data:image/" for task in TASKS}
_FIGURES: Final = frozenset({"stage_durations", "peak_memory_mb", "metrics"})
_LARGEST: Final = 1e30  # of any figure: what a record's four-byte float can hold, with room to spare
_PLAIN: Final = Reply()
_LARGE: Final = 1 << 16  # bytes from which on a body is worth cutting


def encode(sample: Sample, model: str, task: str) -> Request:
    """Write one user message; images go along only where `task` takes them.

    Raises InputError for an image that cannot be read and UsageError for a value that JSON cannot hold.
    """
    images = sample.images if task in IMAGE_INPUT_TASKS else ()
    message = {"role": "user", "content": _parts(sample.prompt, images) if images else sample.prompt}
    payload: dict[str, object] = {"model": model, "messages": [message]}
    if extra_body := _extra_body(sample):
        payload["extra_body"] = extra_body
    try:
        body = orjson.dumps(payload)
    except orjson.JSONEncodeError as fault:
        row = sample.request_id or sample.prompt[:40]
        raise UsageError(f"sample {row!r}: JSON cannot hold a value of it ({fault}); change that value") from fault
    return Request("POST", path, "application/json", body)


def _parts(prompt: str, images: tuple[Path | bytes, ...]) -> list[dict[str, object]]:
    text: list[dict[str, object]] = [{"type": "text", "text": prompt}] if prompt else []
    return text + [{"type": "image_url", "image_url": {"url": _data_url(image)}} for image in images]


@lru_cache(maxsize=32)  # data sets repeat their images; the base64 text of one may be megabytes
def _data_url(image: Path | bytes) -> str:
    found = read_image(image)
    return f"data:{found.mime};base64,{base64.b64encode(found.data).decode()}"


def _extra_body(sample: Sample) -> dict[str, object]:
    sized = sample.width is not None and sample.height is not None
    fields = {
        "height": sample.height if sized else None,
        "width": sample.width if sized else None,
        "num_frames": sample.num_frames,
        "num_inference_steps": sample.num_inference_steps,
        "seed": sample.seed,
        "fps": sample.fps,
    }
    return {key: value for key, value in fields.items() if value is not None} | dict(sample.extra)


def read(body: bytes | bytearray | memoryview, task: str) -> Reply:
    """Say what a 200 body holds: a success carries the asked-for medium as a base64 data URL in `image_url.url`.

    A link (http...) is no success: the bytes were asked for and did not come. Only the beginning of a data URL is
    looked at, so that a body of megabytes costs little more than the search for its end.
    """
    try:
        answer = _parse(body)
    except orjson.JSONDecodeError as fault:
        return Reply(ErrorKind.INVALID_BODY, _short(f"not JSON: {fault}"))
    if not isinstance(answer, dict):
        return Reply(ErrorKind.INVALID_BODY, "not a JSON object")
    if error := answer.get("error"):
        return Reply(ErrorKind.SERVER_ERROR, _error_text(error))
    try:
        content = answer["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        return Reply(ErrorKind.INVALID_BODY, "no choices[0].message.content")
    return _read_content(content, answer, _PREFIXES[task])


def _parse(body: bytes | bytearray | memoryview) -> object:
    if len(body) < _LARGE:
        return orjson.loads(body)
    try:
        return orjson.loads(without_media(body))
    except orjson.JSONDecodeError:
        return orjson.loads(body)  # something looked like media and was not, or the body really is broken


def media(body: bytes) -> Iterator[bytes]:
    """Decode the images and videos of a body that `read` took for a success."""
    for url in _urls(orjson.loads(body)["choices"][0]["message"]["content"]):
        if _is_medium(url, "data:image/") or _is_medium(url, "data:video/"):
            yield base64.b64decode(url.partition(",")[2])


def _read_content(content: object, answer: dict[str, object], prefix: str) -> Reply:
    if not isinstance(content, list) or not content:
        return _no_list(content)
    if not any(_is_medium(url, prefix) for url in _urls(content)):
        held = ", ".join(url[:32] for url in list(_urls(content))[:3]) or "no URL"
        return Reply(ErrorKind.NO_MEDIA, _short(f"no {prefix[5:-1]} in content, but {held}"))
    first = content[0]
    if not isinstance(first, dict):
        first = {}
    if not (first.keys() | answer.keys()) & _FIGURES:
        return _PLAIN
    sources = [source for source in (first, answer.get("metrics"), answer) if isinstance(source, dict)]
    return Reply(stage_durations=_stage_durations(sources), peak_memory_mb=_peak_memory_mb(sources))


def _no_list(content: object) -> Reply:
    if isinstance(content, str):
        return Reply(ErrorKind.NO_MEDIA, _short(f"content is text: {content[:_DETAIL_CHARS]}"))
    if not content:
        return Reply(ErrorKind.NO_MEDIA, "content is empty")
    return Reply(ErrorKind.INVALID_BODY, "content is not a list")


def _is_medium(url: str, prefix: str) -> bool:
    """Whether a URL carries the medium itself; media types may be written in any case."""
    start = url[:_HEADER_CHARS]
    if not start.startswith(prefix):
        start = start.lower()
    mark = start.find(";base64,", len(prefix)) if start.startswith(prefix) else -1
    return 0 < mark < len(url) - len(";base64,")


def _urls(content: list[object]) -> Iterator[str]:
    for item in content:
        holder = item.get("image_url") if isinstance(item, dict) else None
        url = holder.get("url") if isinstance(holder, dict) else None
        if isinstance(url, str):
            yield url


def _stage_durations(sources: list[dict[str, object]]) -> dict[str, float]:
    for source in sources:
        stages = source.get("stage_durations")
        if isinstance(stages, dict):
            return {stage: value for stage, held in stages.items() if (value := _amount(held)) is not None}
    return {}


def _peak_memory_mb(sources: list[dict[str, object]]) -> float:
    amounts = (_amount(source.get("peak_memory_mb")) for source in sources)
    return next((amount for amount in amounts if amount is not None), math.nan)


def _amount(value: object) -> float | None:
    """Return a finite number >= 0 as a float, and None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < _LARGEST else None


def _error_text(error: object) -> str:
    message = error.get("message") if isinstance(error, dict) else error
    return _short(message if isinstance(message, str) and message else orjson.dumps(error).decode())


def _short(text: str) -> str:
    """One line of at most 200 characters."""
    return " ".join(text[: 4 * _DETAIL_CHARS].split())[:_DETAIL_CHARS]
