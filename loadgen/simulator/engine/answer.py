"""The answers of the simulated server, as WIRE.md says each dialect's.

Each dialect prepares the media before the service time begins to run, and gets back what makes a body of the times.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import orjson

from loadgen.simulator.engine.generation import Generation
from loadgen.simulator.engine.mp4 import mp4
from loadgen.simulator.engine.options import SimulatorOptions
from loadgen.simulator.engine.png import png

_BASE_MEMORY_MB: Final = 6000.0  # weights
_BYTES_PER_PIXEL: Final = 24  # activations, per frame
_DENOISE_SHARE: Final = 0.9  # of the service time; the rest goes to decode
_RETRY_AFTER_S: Final = 1
_BUSY: Final = frozenset({429, 503})  # answers that say when to come again (RFC 9110, 10.2.3)


@dataclass(frozen=True, slots=True)
class Payload:
    """One answer. `stays` says that the request is a job from now on, and still inside."""

    body: bytes
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    stays: bool = False


@dataclass(frozen=True, slots=True)
class Served:
    """How long a generation waited and ran, and the time from its request to its end, in seconds."""

    queue_s: float
    service_s: float
    total_s: float

    def stages(self) -> dict[str, float]:
        """Return three stages that sum to the whole time."""
        denoise_s = self.service_s * _DENOISE_SHARE
        return {"queue": self.queue_s, "denoise": denoise_s, "decode": self.total_s - self.queue_s - denoise_s}


Finish = Callable[[Served], Payload]


def peak_memory_mb(asked: Generation) -> float:
    """Return what a generation takes at its peak."""
    return _BASE_MEMORY_MB + asked.width * asked.height * asked.frames * _BYTES_PER_PIXEL / 1e6


def completion(asked: Generation, options: SimulatorOptions) -> Finish:
    """Prepare the answer to a chat completion."""
    urls = media_urls(asked, options)

    def finish(served: Served) -> Payload:
        items: list[dict[str, object]] = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        items[0] |= {"stage_durations": served.stages(), "peak_memory_mb": peak_memory_mb(asked)}
        message = {"role": "assistant", "content": items}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        top = {"id": "chatcmpl-simulated", "object": "chat.completion", "created": 0, "model": options.model}
        return Payload(orjson.dumps({**top, "choices": choices}))

    return finish


def media_urls(asked: Generation, options: SimulatorOptions) -> tuple[orjson.Fragment, ...]:
    """Return the data URLs that answer a generation, as JSON strings.

    On `--media auto`, more than one frame makes a video. A request of one frame, or none named, does not tell whether
    it comes from an image or a video task, and this server has no model that would: it gets the image and a short clip.
    """
    if options.media == "video" or (options.media == "auto" and asked.frames > 1):
        return (_text("data:video/mp4;base64,", video(asked, options)),)
    image = _text("data:image/png;base64,", _image(asked, options))
    if options.media == "image":
        return (image,)
    return (image, _text("data:video/mp4;base64,", _video(asked.width, asked.height, 1, 0)))


def images(asked: Generation, options: SimulatorOptions) -> Finish:
    """Prepare the answer to a generation or an edit of images."""
    data = [{"b64_json": _text("", _image(asked, options))}] * asked.n

    def finish(served: Served) -> Payload:
        usage = {"peak_memory_mb": peak_memory_mb(asked)}
        return Payload(
            orjson.dumps({"created": 0, "data": data, "usage": usage, "metrics": {"stage_durations": served.stages()}})
        )

    return finish


def bare_video(asked: Generation, options: SimulatorOptions) -> Finish:
    """Prepare the answer to a synchronous request for a video: the file itself."""
    data = video(asked, options)

    def finish(served: Served) -> Payload:
        headers = {
            "X-Inference-Time-S": f"{served.service_s:.6f}",
            "X-Stage-Durations": orjson.dumps(served.stages()).decode(),
            "X-Peak-Memory-MB": f"{peak_memory_mb(asked):.3f}",
        }
        return Payload(data, content_type="video/mp4", headers=headers)

    return finish


def refusal(message: str, status: int) -> Payload:
    """Return an error in the shape of the OpenAI API."""
    kind = "invalid_request_error" if status < 500 else "internal_error"
    headers = {"Retry-After": str(_RETRY_AFTER_S)} if status in _BUSY else {}
    return Payload(orjson.dumps({"error": {"message": message, "type": kind, "code": status}}), status, headers=headers)


def video(asked: Generation, options: SimulatorOptions) -> bytes:
    """Return the video that a generation asks for."""
    return _video(asked.width, asked.height, asked.frames, options.media_bytes)


_video: Final = lru_cache(maxsize=16)(mp4)


def _image(asked: Generation, options: SimulatorOptions) -> bytes:
    size = max(options.media_bytes, int(options.bytes_per_pixel * asked.width * asked.height))
    return _png(asked.width, asked.height, size)


_png: Final = lru_cache(maxsize=16)(png)


@lru_cache(maxsize=16)  # by bytes, whose hash is kept in them
def _text(before: str, data: bytes) -> orjson.Fragment:
    return orjson.Fragment(b'"%s%s"' % (before.encode(), base64.b64encode(data)))
