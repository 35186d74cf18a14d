"""A reply: what a body says, once it has been read."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from collector.record import ErrorKind


@dataclass(frozen=True, slots=True)
class Reply:
    """What a 200 answer holds. `error` is NONE for a success; `detail` says what is wrong otherwise.

    `stage_durations` maps a stage of the server to seconds; `peak_memory_mb` is nan where the server does not say.
    """

    error: ErrorKind = ErrorKind.NONE
    detail: str = ""
    stage_durations: Mapping[str, float] = field(default_factory=dict)
    peak_memory_mb: float = float("nan")
