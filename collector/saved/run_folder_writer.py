"""The run folder while it is written: notes and marks as they come. The records' file is the ledger's own."""

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
from collector.saved.run_folder import ERRORS, MARKS, STAGES

NEW: Final = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW  # nothing that others have put there is written to
SLACK: Final = 65_536  # requests around the one sent last that may be marked out of order


class RunFolder:
    """What the collector adds to a run folder besides records; `fault` says what could not be written, and why."""

    def __init__(self, folder: Path) -> None:
        self._errors, self._stages = (
            os.fdopen(os.open(folder / name, os.O_WRONLY | os.O_APPEND | NEW, 0o600), "ab", buffering=0)
            for name in (ERRORS, STAGES)
        )
        self._marks = os.open(folder / MARKS, os.O_RDWR | NEW, 0o600)
        self._saved = 0
        self.fault: str | None = None

    def note(self, index: int, note: Note) -> None:
        """Append one note."""
        if self.fault is None:  # else a line might be torn, and the next one would be joined to it
            file = self._stages if "stages" in note else self._errors
            self._try(file.write, orjson.dumps({"index": index, **note}) + b"\n")

    def save_marks(self, marks: NDArray[np.int64], sent: int, *, all_of_them: bool = False) -> None:
        """Bring marks.bin up to date; requests are sent in schedule order, give or take a few per sender."""
        first = 0 if all_of_them else max(self._saved - SLACK, 0)
        until = len(marks) if all_of_them else min(sent + SLACK, len(marks))
        self._try(partial(os.pwrite, self._marks), marks[first:until].tobytes(), first * marks.itemsize)
        self._saved = sent

    def _try(self, write: Callable[..., int | None], content: bytes, *place: int) -> None:
        """Write; a disk that takes only part of it is full, as one that takes nothing is."""
        try:
            if write(content, *place) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self.fault = f"notes and marks: {error.strerror}"


def save_all_marks(folder: Path, marks: NDArray[np.int64]) -> None:
    """Bring marks.bin up to date for a collector that is dead; where the disk is full, the summary will say so."""
    with suppress(OSError), (folder / MARKS).open("r+b") as file:
        file.write(marks.tobytes())
