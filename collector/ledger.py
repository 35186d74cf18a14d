"""The ledger: the append-only file of records. What is in it survives the collector."""

import os
from typing import Any

from numpy.typing import NDArray

from collector import shared
from collector.record import RECORD


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

    def records(self) -> NDArray[Any]:
        """Read all rows back, whoever wrote them; a row cut short by a death is left out."""
        return shared.rows(self._descriptor, RECORD)
