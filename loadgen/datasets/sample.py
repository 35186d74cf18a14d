"""A sample: one row of a data set, before it becomes a request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sample:
    """What is asked of the server; None means "not said here", so that flags or the server decide.

    `timestamp_s` is seconds since the trace began; `slo_ms` the row's own target; `images` are input files, or
    bytes of an image that exists in memory only; `extra` goes into the request as it stands (negative_prompt, ...).
    """

    prompt: str
    request_id: str | None = None
    width: int | None = None
    height: int | None = None
    num_frames: int | None = None
    num_inference_steps: int | None = None
    seed: int | None = None
    fps: int | None = None
    slo_ms: float | None = None
    timestamp_s: float | None = None
    images: tuple[Path | bytes, ...] = ()
    extra: Mapping[str, object] = field(default_factory=dict)
