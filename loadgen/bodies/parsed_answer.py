"""A reply: what a body says, once it has been read."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from collector.records.record import ErrorKind
from loadgen.media.mp4_atoms import Readable


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """What a 200 answer holds. `error` is NONE for a success; `detail` says what is wrong otherwise.

    `stage_durations` maps a stage of the server to seconds; `peak_memory_mb` is nan where the server does not say.
    `media` are the images or the video that were asked for, not decoded yet, and good for as long as the body is.
    """

    error: ErrorKind = ErrorKind.NONE
    detail: str = ""
    stage_durations: Mapping[str, float] = field(default_factory=dict)
    peak_memory_mb: float = float("nan")
    media: tuple[Readable, ...] = ()
