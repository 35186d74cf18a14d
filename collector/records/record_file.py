"""The ledger: the file of records, which grows and is corrected at the end only. It survives the collector.

Where the file takes no more (a full disk), records are kept in memory: the figures are whole, only the file is not.
"""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collector.records import shared_memory
from collector.records.record import RECORD, ErrorKind, Outcome


class RecordFile:
    """Records in order of coming, as bytes of RECORD, in a file known by its descriptor; `fault`: why not all are."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.count = 0
        self.fault: str | None = None
        self._kept: list[bytes] = []

    def append(self, batch: NDArray[Any]) -> None:
        """Add a batch of RECORD rows."""
        rest = batch.data.cast("B")
        try:
            while rest and self.fault is None:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            self.fault = f"records: {error.strerror}"
            rest = self._take_back(batch.data.cast("B"), len(rest))
        if rest:
            self._kept.append(bytes(rest))
        self.count += len(batch)

    def refuse(self, indexes: Sequence[int]) -> None:
        """Make successes failures whose media turned out to be wrong, once all rows are there."""
        kept = np.frombuffer(b"".join(self._kept), RECORD).copy()
        written = shared_memory.attach(self._descriptor, RECORD, writable=True) if self.count > len(kept) else kept[:0]
        for rows in (written, kept):
            wrong = np.isin(rows["index"], indexes) & (rows["outcome"] == Outcome.OK)
            rows["outcome"][wrong], rows["error"][wrong] = Outcome.ERROR, ErrorKind.WRONG_MEDIA
        self._kept = [kept.tobytes()] if len(kept) else []

    def _take_back(self, whole: memoryview, left: int) -> memoryview:
        """Cut a row that fits by half off the file; return all of the batch that is not in there."""
        torn = (len(whole) - left) % RECORD.itemsize
        if torn:
            os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - torn)
        return whole[len(whole) - left - torn :]

    def records(self) -> NDArray[Any]:
        """Read all rows back, whoever wrote them; a row cut short by a death is left out."""
        written = shared_memory.rows(self._descriptor, RECORD)
        return np.concatenate([written, np.frombuffer(b"".join(self._kept), RECORD)]) if self._kept else written
