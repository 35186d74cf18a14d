"""The answer of the simulated server, as WIRE.md's chat completions say it."""

import base64
from functools import lru_cache
from typing import Final

import orjson

from loadgen.simulator.chat import Generation
from loadgen.simulator.mp4 import mp4
from loadgen.simulator.png import png

_BASE_MEMORY_MB: Final = 6000.0  # weights
_BYTES_PER_PIXEL: Final = 24  # activations, per frame
_DENOISE_SHARE: Final = 0.9  # of the service time; the rest goes to decode


def media_urls(asked: Generation, media_bytes: int, media: str) -> tuple[orjson.Fragment, ...]:
    """Return the data URLs that answer a generation, as JSON strings; `media` is what `--media` says.

    On auto, more than one frame makes a video. A request of one frame, or none named, does not tell whether it comes
    from an image or a video task, and this server has no model that would: it gets the image and a short clip.
    """
    if media == "video" or (media == "auto" and asked.frames > 1):
        return (_video(asked.width, asked.height, asked.frames, media_bytes),)
    image = _image(asked.width, asked.height, media_bytes)
    return (image,) if media == "image" else (image, _video(asked.width, asked.height, 1, 0))


@lru_cache(maxsize=16)
def _image(width: int, height: int, media_bytes: int) -> orjson.Fragment:
    return _data_url("image/png", png(width, height, media_bytes))


@lru_cache(maxsize=16)
def _video(width: int, height: int, frames: int, media_bytes: int) -> orjson.Fragment:
    return _data_url("video/mp4", mp4(width, height, frames, media_bytes))


def _data_url(mime: str, data: bytes) -> orjson.Fragment:
    return orjson.Fragment(b'"data:%s;base64,%s"' % (mime.encode(), base64.b64encode(data)))


def completion(
    asked: Generation, urls: tuple[orjson.Fragment, ...], model: str, queue_s: float, service_s: float, total_s: float
) -> bytes:
    """Return the body of a 200; its three stages sum to `total_s`, seconds between request and reply."""
    denoise_s = service_s * _DENOISE_SHARE
    items: list[dict[str, object]] = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    items[0]["stage_durations"] = {"queue": queue_s, "denoise": denoise_s, "decode": total_s - queue_s - denoise_s}
    items[0]["peak_memory_mb"] = _BASE_MEMORY_MB + asked.width * asked.height * asked.frames * _BYTES_PER_PIXEL / 1e6
    return orjson.dumps(
        {
            "id": "chatcmpl-simulated",
            "object": "chat.completion",
            "created": 0,
            "model": model,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": items}, "finish_reason": "stop"}],
        }
    )


def refusal(message: str, kind: str, code: int) -> bytes:
    """Return the body of an error, in the shape of the OpenAI API."""
    return orjson.dumps({"error": {"message": message, "type": kind, "code": code}})
