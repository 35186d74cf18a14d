"""A sample: one row of a dataset, before it becomes a request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sample:
    """What is asked of the server; None leaves a value to the flags or the server.

    `timestamp_s` counts from the start of the trace; `slo_ms` is the sample's own target; `images` are files, or the
    bytes of synthetic or downloaded images; `videos` are files, or URLs; `extra` goes into the request unchanged
    (negative_prompt, ...).
    """

    prompt: str
    request_id: str | None = None
    width: int | None = None
    height: int | None = None
    num_frames: int | None = None
    num_inference_steps: int | None = None
    seed: int | None = None
    fps: float | None = None
    slo_ms: float | None = None
    timestamp_s: float | None = None
    images: tuple[Path | bytes, ...] = ()
    videos: tuple[Path | str, ...] = ()
    extra: Mapping[str, object] = field(default_factory=dict)
