"""Writes notes and send times into a run folder during the run; records are written by `RecordFile`."""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from collector.records.messages import Note
from collector.saved.run_folder import ERRORS, SEND_TIMES, STAGES

NEW: Final = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW  # never write to a file that somebody else put there
MAX_REORDER: Final = 65_536  # by how many requests the order of sending may differ from the plan


class RunFolder:
    """The collector's files of a run folder besides the records; `fault` says what could not be written and why."""

    def __init__(self, folder: Path) -> None:
        self._errors, self._stages = (
            os.fdopen(os.open(folder / name, os.O_WRONLY | os.O_APPEND | NEW, 0o600), "ab", buffering=0)
            for name in (ERRORS, STAGES)
        )
        self._send_times = os.open(folder / SEND_TIMES, os.O_RDWR | NEW, 0o600)
        self._saved_count = 0
        self.fault: str | None = None

    def note(self, index: int, note: Note) -> None:
        """Append one note to errors.jsonl or stages.jsonl."""
        if self.fault is None:  # otherwise a line may be incomplete, and the next would be joined to it
            file = self._stages if "stages" in note else self._errors
            self._try(file.write, orjson.dumps({"index": index, **note}) + b"\n")

    def save_send_times(self, send_times: NDArray[np.int64], sent: int, *, whole: bool = False) -> None:
        """Bring send_times.bin up to date; requests are sent almost in schedule order."""
        first = 0 if whole else max(self._saved_count - MAX_REORDER, 0)
        until = len(send_times) if whole else min(sent + MAX_REORDER, len(send_times))
        self._try(partial(os.pwrite, self._send_times), send_times[first:until].tobytes(), first * send_times.itemsize)
        self._saved_count = sent

    def _try(self, write: Callable[..., int | None], content: bytes, *place: int) -> None:
        """Write; a disk that takes only part of the content is full too."""
        try:
            if write(content, *place) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self.fault = f"notes and send times: {error.strerror}"


def save_all_send_times(folder: Path, send_times: NDArray[np.int64]) -> None:
    """Bring send_times.bin up to date for a collector that died; if the disk is full, the summary will say so."""
    with suppress(OSError), (folder / SEND_TIMES).open("r+b") as file:
        file.write(send_times.tobytes())
