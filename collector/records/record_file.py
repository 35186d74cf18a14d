"""The file of records: appended to during the run, corrected at its end, and it survives the collector.

If the file cannot be written any more (a full disk), records are kept in memory: only the file is incomplete then.
"""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collector.records import shared_memory
from collector.records.record import RECORD, ErrorKind, Outcome


class RecordFile:
    """RECORD rows in order of arrival, in a file given by its descriptor; `fault` says why some are missing in it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.count = 0
        self.fault: str | None = None
        self._in_memory: list[bytes] = []

    def append(self, batch: NDArray[Any]) -> None:
        """Add a batch of RECORD rows."""
        rest = batch.data.cast("B")
        try:
            while rest and self.fault is None:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            self.fault = f"records: {error.strerror}"
            rest = self._truncate_partial_row(batch.data.cast("B"), len(rest))
        if rest:
            self._in_memory.append(bytes(rest))
        self.count += len(batch)

    def refuse(self, indexes: Sequence[int]) -> None:
        """Turn successes whose media were found to be wrong into failures; call it once all rows have arrived."""
        in_memory = np.frombuffer(b"".join(self._in_memory), RECORD).copy()
        in_file = self.count > len(in_memory)
        written = shared_memory.attach(self._descriptor, RECORD, writable=True) if in_file else in_memory[:0]
        for rows in (written, in_memory):
            wrong = np.isin(rows["index"], indexes) & (rows["outcome"] == Outcome.OK)
            rows["outcome"][wrong], rows["error"][wrong] = Outcome.ERROR, ErrorKind.WRONG_MEDIA
        self._in_memory = [in_memory.tobytes()] if len(in_memory) else []

    def _truncate_partial_row(self, whole: memoryview, unwritten: int) -> memoryview:
        """Remove a partly written row from the file; return the part of the batch that is not in it."""
        partial = (len(whole) - unwritten) % RECORD.itemsize
        if partial:
            os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - partial)
        return whole[len(whole) - unwritten - partial :]

    def records(self) -> NDArray[Any]:
        """Read all rows back, those in memory last; an incomplete last row of the file is ignored."""
        in_memory = np.frombuffer(b"".join(self._in_memory), RECORD)
        return np.concatenate([shared_memory.rows(self._descriptor, RECORD), in_memory])
