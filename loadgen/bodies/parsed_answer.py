"""The result of parsing an answer body."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from collector.records.record import ErrorKind
from loadgen.media.mp4_atoms import Readable


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """A parsed 200 answer. `error` is NONE for a success; otherwise `detail` says what is wrong.

    `stage_durations` maps server stages to seconds; `peak_memory_mb` and `inference_s` are nan if the server does not
    report them.
    `media` are the requested images or video, decoded on access, valid as long as the body is; `outputs` is how many
    the server made, 0 if just these.
    """

    error: ErrorKind = ErrorKind.NONE
    detail: str = ""
    stage_durations: Mapping[str, float] = field(default_factory=dict)
    peak_memory_mb: float = float("nan")
    inference_s: float = float("nan")
    media: tuple[Readable, ...] = ()
    outputs: int = 0
