"""The books of one run: what was planned, posted and recorded. Closing them gives the figures."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from collector.records import shared_memory
from collector.records.messages import Note
from collector.records.record import ErrorKind, error_name
from collector.records.record_file import RecordFile
from collector.records.shared_counters import SharedCounters
from collector.records.stalls import STALL
from collector.summary.result import Figures
from collector.summary.run_info import RunInfo, RunNotes, read_terms
from collector.summary.summary import summarise


class Accounting:
    """Open in the collector; the parent can open them too, should the collector die."""

    def __init__(self, setup: dict[str, Any]) -> None:
        self._setup = setup
        self._arrivals = shared_memory.attach(setup["arrivals"], np.int64)
        self._slo_ms = shared_memory.attach(setup["slo_ms"], np.float64)
        self._shapes = shared_memory.attach(setup["shapes"], np.int32).reshape(-1, 4)
        self.shared_counters = SharedCounters.attach(setup["shared_counters"])
        self.record_file = RecordFile(setup["record_file"])
        self.notes = RunNotes()

    @property
    def planned(self) -> int:
        """Number of requests in the plan."""
        return len(self._arrivals)

    @property
    def last_arrival_s(self) -> float:
        """Planned time of the last request, in seconds from time zero."""
        return float(self._arrivals[-1]) / 1e9

    def complete(self) -> bool:
        """Whether every planned request has its record."""
        return self.record_file.count >= self.planned

    def refuse(self, refused: Sequence[tuple[int, str]]) -> Note | None:
        """Make failures of answers, by plan index, that were found to be wrong after the run; return what to note."""
        if not refused:
            return None
        self.record_file.refuse([index for index, _ in refused])
        note = {"error": error_name(ErrorKind.WRONG_MEDIA, 200), "example": refused[0][1]}
        self.notes.take(note)
        return note

    def close(self, started_ns: int, ending: Mapping[str, Any]) -> Figures:
        """Compute the figures, as of now; `end` in them is what a saved run needs to compute them again.

        `ending` is what the parent knows: `stopped_ns`, `drained_ns`, `died`, `busiest_sender`, as Facts says.
        """
        setup = self._setup
        info = RunInfo(
            scheduled_ns=self._arrivals + started_ns,
            slo_ms=np.array(self._slo_ms),
            marked_ns=np.array(self.shared_counters.marks),
            counted_sent=self.shared_counters.sent(),
            shapes=self._shapes,
            started_ns=started_ns,
            **read_terms(setup["terms"]),
            ended_ns=time.monotonic_ns(),
            **{**ending, "died": tuple(ending["died"])},
            stalls=shared_memory.rows(setup["stalls"], STALL),
        )
        return summarise(self.record_file.records(), info, self.notes)
