"""The answers of the simulated server.

Media are encoded before the service time starts; the returned builder then only adds the timings.
"""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import orjson

from loadgen.simulator.engine.generation import Generation
from loadgen.simulator.engine.jpeg import jpeg
from loadgen.simulator.engine.mp4 import mp4
from loadgen.simulator.engine.options import SimulatorOptions
from loadgen.simulator.engine.png import png

_BASE_MEMORY_MB: Final = 6000.0  # weights
_BYTES_PER_PIXEL: Final = 24  # activations, per frame
_DENOISE_SHARE: Final = 0.9  # of the service time; the rest goes to decode


@dataclass(frozen=True, slots=True)
class Payload:
    """One HTTP answer. `in_progress` marks the creation of a job, which stays in flight after the answer."""

    body: bytes
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    in_progress: bool = False


@dataclass(frozen=True, slots=True)
class Timings:
    """How long a generation waited and ran, and the time from its request to its end, in seconds."""

    queue_s: float
    service_s: float
    total_s: float

    def stages(self) -> dict[str, float]:
        """Return the stage durations in seconds; they sum to `total_s`."""
        denoise_s = self.service_s * _DENOISE_SHARE
        return {"queue": self.queue_s, "denoise": denoise_s, "decode": self.total_s - self.queue_s - denoise_s}


def stages(timings: Timings, options: SimulatorOptions) -> dict[str, float]:
    """Return the stage durations that the server gives: a real one measures them only with its profiler."""
    return timings.stages() if options.profiler or options.server == "any" else {}


PayloadBuilder = Callable[[Timings], Payload]


def peak_memory_mb(generation: Generation) -> float:
    """Return the simulated peak memory of a generation in MB."""
    return _BASE_MEMORY_MB + generation.width * generation.height * generation.frames * _BYTES_PER_PIXEL / 1e6


def completion(generation: Generation, options: SimulatorOptions) -> PayloadBuilder:
    """Prepare the answer to a chat completion."""
    urls = media_urls(generation, options) * generation.n

    def build(timings: Timings) -> Payload:
        items: list[dict[str, object]] = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        items[0] |= {"stage_durations": timings.stages(), "peak_memory_mb": peak_memory_mb(generation)}
        message = {"role": "assistant", "content": items}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        top = {"id": "chatcmpl-simulated", "object": "chat.completion", "created": 0, "model": options.model}
        return Payload(orjson.dumps({**top, "choices": choices}))

    return build


def media_urls(generation: Generation, options: SimulatorOptions) -> tuple[orjson.Fragment, ...]:
    """Return the data URLs that answer a generation, as JSON strings.

    With `--media auto`, more than one frame makes a video. A request of one frame, or without a frame count, may come
    from an image or a video task: its answer holds both the image and a video of one frame.
    """
    if options.media == "video" or (options.media == "auto" and generation.frames > 1):
        return (text("data:video/mp4;base64,", video(generation, options)),)
    still = text("data:image/png;base64,", image(generation, options))
    if options.media == "image":
        return (still,)
    return (still, text("data:video/mp4;base64,", _video(generation.width, generation.height, 1, 0)))


def images(generation: Generation, options: SimulatorOptions) -> PayloadBuilder:
    """Prepare the answer to a generation or an edit of images."""
    data = [{"b64_json": text("", image(generation, options))}] * generation.n

    def build(timings: Timings) -> Payload:
        usage = {"peak_memory_mb": peak_memory_mb(generation)}
        return Payload(
            orjson.dumps({"created": 0, "data": data, "usage": usage, "metrics": {"stage_durations": timings.stages()}})
        )

    return build


def bare_video(generation: Generation, options: SimulatorOptions) -> PayloadBuilder:
    """Prepare the answer to a synchronous video request: the MP4 itself."""
    data = video(generation, options)

    def build(timings: Timings) -> Payload:
        headers = {
            "X-Inference-Time-S": f"{timings.service_s:.6f}",
            "X-Stage-Durations": orjson.dumps(stages(timings, options)).decode(),
            "X-Peak-Memory-MB": f"{peak_memory_mb(generation):.3f}",
        }
        return Payload(data, content_type="video/mp4", headers=headers)

    return build


def refusal(message: str, status: int) -> Payload:
    """Return an error in the format of the OpenAI API."""
    kind = "invalid_request_error" if status < 500 else "internal_error"
    return Payload(orjson.dumps({"error": {"message": message, "type": kind, "code": status}}), status)


def video(generation: Generation, options: SimulatorOptions) -> bytes:
    """Return the MP4 of a generation."""
    return _video(generation.width, generation.height, generation.frames, options.media_bytes)


_video: Final = lru_cache(maxsize=16)(mp4)


def image(generation: Generation, options: SimulatorOptions, kind: str = "png") -> bytes:
    """Return the image of a generation; `kind` is png or jpeg."""
    size = max(options.media_bytes, int(options.bytes_per_pixel * generation.width * generation.height))
    return (_jpeg if kind in ("jpeg", "jpg") else _png)(generation.width, generation.height, size)


def image_name(generation: Generation, kind: str) -> str:
    """Return a name of an image from which it can be made again."""
    return f"{generation.width}x{generation.height}.{kind}"


def named_image(name: str, options: SimulatorOptions) -> tuple[bytes, str] | None:
    """Return an image and its mime type by what `image_name` returned, or None."""
    match = _IMAGE_NAME.fullmatch(name)
    if match is None:
        return None
    kind = match[3]
    generation = Generation("", int(match[1]), int(match[2]), 1, 1)
    return image(generation, options, kind), f"image/{kind.replace('jpg', 'jpeg')}"


_IMAGE_NAME: Final = re.compile(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})\.(png|jpeg|jpg)")
_png: Final = lru_cache(maxsize=16)(png)
_jpeg: Final = lru_cache(maxsize=16)(jpeg)


@lru_cache(maxsize=16)  # keyed by bytes, which cache their hash
def text(before: str, data: bytes) -> orjson.Fragment:
    """Return `data` in base64, preceded by `before`, as a JSON string."""
    return orjson.Fragment(b'"%s%s"' % (before.encode(), base64.b64encode(data)))
