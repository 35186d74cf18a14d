"""The run folder while it is written: notes and marks as they come. The records' file is the ledger's own."""

import os
from pathlib import Path
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from collector.saved import ERRORS, MARKS, STAGES
from collector.wire import Note

NEW: Final = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW  # nothing that others have put there is written to
SLACK: Final = 65_536  # requests around the one sent last that may be marked out of order


class RunFolder:
    """What the collector adds to a run folder besides records."""

    def __init__(self, folder: Path) -> None:
        self._errors, self._stages = (
            os.fdopen(os.open(folder / name, os.O_WRONLY | os.O_APPEND | NEW, 0o600), "ab", buffering=0)
            for name in (ERRORS, STAGES)
        )
        self._marks = os.open(folder / MARKS, os.O_RDWR | NEW, 0o600)
        self._saved = 0

    def note(self, index: int, note: Note) -> None:
        """Append one note."""
        file = self._errors if "error" in note else self._stages
        file.write(orjson.dumps({"index": index, **note}) + b"\n")

    def save_marks(self, marks: NDArray[np.int64], sent: int, *, all_of_them: bool = False) -> None:
        """Bring marks.bin up to date; requests are sent in schedule order, give or take a few per sender."""
        first = 0 if all_of_them else max(self._saved - SLACK, 0)
        until = len(marks) if all_of_them else min(sent + SLACK, len(marks))
        os.pwrite(self._marks, marks[first:until].tobytes(), first * marks.itemsize)
        self._saved = sent
