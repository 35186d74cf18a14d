"""The backend `vllm-omni`: POST /v1/chat/completions, for images and videos."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson

from collector.records.record import ErrorKind
from loadgen.bodies import media_size
from loadgen.bodies.base64_text import Base64Text, Body
from loadgen.bodies.fields import dumps, generation_fields, with_count, without_nulls
from loadgen.bodies.json_body import DETAIL_CHARS, short, success_object
from loadgen.bodies.parsed_answer import ParsedAnswer
from loadgen.bodies.request import Request
from loadgen.bodies.server_figures import success
from loadgen.datasets.input_images import data_url
from loadgen.datasets.input_videos import read_video
from loadgen.datasets.sample import Sample
from loadgen.options import IMAGE_INPUT_TASKS, TASKS, VIDEO_TASKS

name: Final = "vllm-omni"
path: Final = "/v1/chat/completions"
tasks: Final = TASKS
needs_authorization: Final = False
takes_n: Final = True
headers: Final[tuple[str, ...]] = ()
requested_size = media_size.from_sides

_HEADER_CHARS: Final = 200  # of a data URL: its media type and parameters end before this
_PREFIXES: Final = {task: "data:video/" if task in VIDEO_TASKS else "data:image/" for task in TASKS}
# Types that a file of the requested kind may be declared as; its content then decides.
_OTHER_PREFIXES: Final = {
    task: (*("data:image/gif", "data:image/webp") * (task in VIDEO_TASKS), "data:application/octet-stream")
    for task in TASKS
}
_FIGURES: Final = frozenset({"stage_durations", "peak_memory_mb", "metrics", "inference_time_s"})
_MARK: Final = ";base64,"


def encode(sample: Sample, model: str, task: str) -> Request:
    """Write one user message; input images and videos are included only if `task` takes them.

    Raises InputError for a file that cannot be read and UsageError for a value that JSON cannot hold.
    """
    images = sample.images if task in IMAGE_INPUT_TASKS else ()
    videos = sample.videos if task == "v2v" else ()
    parts = [_part("image_url", data_url(image)) for image in images] + [
        _part("video_url", _url(one)) for one in videos
    ]
    text = [{"type": "text", "text": sample.prompt}] if sample.prompt else []
    message = {"role": "user", "content": [*text, *parts] if parts else sample.prompt}
    payload: dict[str, object] = {"model": model, "messages": [message]}
    extra = with_count(sample.extra, "num_outputs_per_prompt")
    if extra_body := without_nulls({**generation_fields(sample), **extra}):
        payload["extra_body"] = extra_body
    return Request("POST", path, "application/json", dumps(payload, sample))


def _part(kind: str, url: str) -> dict[str, object]:
    return {"type": kind, kind: {"url": url}}


def _url(video: Path | str) -> str:
    if isinstance(video, str):
        return video
    found = read_video(video)
    return f"data:{found.mime};base64,{base64.b64encode(found.data).decode()}"


def read(body: Body, task: str, n: int = 1) -> ParsedAnswer:
    """Parse a 200 body: a success has `n` of the requested medium as base64 data URLs in `image_url.url`.

    A link (http...) is an error, since the media bytes are missing. Only the start of a data URL is examined, so that
    a large body costs little more than finding its end.
    """
    answer = success_object(body)
    if isinstance(answer, ParsedAnswer):
        return answer
    try:
        content = answer["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        return ParsedAnswer(ErrorKind.INVALID_BODY, "no choices[0].message.content")
    return _read_content(content, answer, task, body, n)


def media(body: bytes) -> Iterator[bytes]:
    """Decode the images and videos of a body that `read` took for a success."""
    for url in _urls(orjson.loads(body)["choices"][0]["message"]["content"]):
        if place := _base64_start(url, "data:"):
            yield base64.b64decode(url[place:])


def _read_content(content: object, answer: dict[str, object], task: str, body: Body, n: int) -> ParsedAnswer:
    if not isinstance(content, list) or not content:
        return _content_error(content)
    prefix = _PREFIXES[task]
    starts = ((url, _base64_start(url, prefix)) for url in _urls(content))
    found = tuple(Base64Text(url[start:], body) for url, start in starts if start)
    found = found or _of_other_types(content, task, body)
    if len(found) < n:
        held = ", ".join(url[:32] for url in list(_urls(content))[:3]) or "no URL"
        count = f"{len(found)} of {n} {prefix[5:-1]}s" if found else f"no {prefix[5:-1]}"
        return ParsedAnswer(ErrorKind.NO_MEDIA, short(f"{count} in content, but {held}"))
    first = content[0]
    if not isinstance(first, dict):
        first = {}
    if not (first.keys() | answer.keys()) & _FIGURES:
        return ParsedAnswer(media=found)
    return success((first, answer.get("metrics"), answer), found)


def _of_other_types(content: list[object], task: str, body: Body) -> tuple[Base64Text, ...]:
    """Media whose declared type does not say whether they are an image or a video."""
    starts = ((url, _base64_start(url, prefix)) for url in _urls(content) for prefix in _OTHER_PREFIXES[task])
    return tuple(Base64Text(url[start:], body) for url, start in starts if start)


def _content_error(content: object) -> ParsedAnswer:
    if isinstance(content, str):
        return ParsedAnswer(ErrorKind.NO_MEDIA, short(f"content is text: {content[:DETAIL_CHARS]}"))
    if not content:
        return ParsedAnswer(ErrorKind.NO_MEDIA, "content is empty")
    return ParsedAnswer(ErrorKind.INVALID_BODY, "content is not a list")


def _base64_start(url: str, prefix: str) -> int:
    """Return where the base64 text of a data URL begins, 0 if it is none; media types may be in any case."""
    start = url[:_HEADER_CHARS]
    if not start.startswith(prefix):
        start = start.lower()
    marker = start.find(_MARK, len(prefix)) if start.startswith(prefix) else -1
    return marker + len(_MARK) if 0 < marker < len(url) - len(_MARK) else 0


def _urls(content: list[object]) -> Iterator[str]:
    for item in content:
        holder = item.get("image_url") if isinstance(item, dict) else None
        url = holder.get("url") if isinstance(holder, dict) else None
        if isinstance(url, str):
            yield url
