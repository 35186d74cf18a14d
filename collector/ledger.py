"""The ledger: the file of records, which grows and is corrected at the end only. It survives the collector."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collector import shared
from collector.record import RECORD, ErrorKind, Outcome


class Ledger:
    """Records in order of coming, as bytes of RECORD, in a file known by its descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.count = 0

    def append(self, batch: NDArray[Any]) -> None:
        """Add a batch of RECORD rows."""
        rest = batch.data.cast("B")
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        self.count += len(batch)

    def refuse(self, indexes: Sequence[int]) -> None:
        """Make successes failures whose media turned out to be wrong, once all rows are there."""
        rows = shared.attach(self._descriptor, RECORD, writable=True)
        wrong = np.isin(rows["index"], indexes) & (rows["outcome"] == Outcome.OK)
        rows["outcome"][wrong], rows["error"][wrong] = Outcome.ERROR, ErrorKind.WRONG_MEDIA

    def records(self) -> NDArray[Any]:
        """Read all rows back, whoever wrote them; a row cut short by a death is left out."""
        return shared.rows(self._descriptor, RECORD)
