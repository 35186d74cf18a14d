"""The accounts of one run: what was planned, sent and recorded; at the end they give the figures."""

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
from collector.summary.run_info import RunInfo, RunNotes, parse_parameters
from collector.summary.summary import summarise


class Accounting:
    """Plan, send times and records of a run. The collector holds them; if it dies, the parent can open them too."""

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
        """Scheduled time of the last request, in seconds from time zero."""
        return float(self._arrivals[-1]) / 1e9

    def complete(self) -> bool:
        """Whether every planned request has its record."""
        return self.record_file.count >= self.planned

    def refuse(self, refused: Sequence[tuple[int, str]]) -> Note | None:
        """Turn answers that were found to be wrong after the run, by plan index, into failures; return a note of it."""
        if not refused:
            return None
        self.record_file.refuse([index for index, _ in refused])
        note = {"error": error_name(ErrorKind.WRONG_MEDIA, 200), "example": refused[0][1]}
        self.notes.take(note)
        return note

    def close(self, started_ns: int, ending: Mapping[str, Any]) -> Figures:
        """Compute the figures, as of now.

        `ending` is what the parent knows: `stopped_ns`, `drained_ns`, `died`, `busiest_sender`, as in `RunInfo`.
        """
        setup = self._setup
        info = RunInfo(
            scheduled_ns=self._arrivals + started_ns,
            slo_ms=np.array(self._slo_ms),
            send_time_ns=np.array(self.shared_counters.send_times),
            sent_count=self.shared_counters.sent(),
            shapes=self._shapes,
            started_ns=started_ns,
            **parse_parameters(setup["parameters"]),
            ended_ns=time.monotonic_ns(),
            **{**ending, "died": tuple(ending["died"])},
            stalls=shared_memory.rows(setup["stalls"], STALL),
        )
        return summarise(self.record_file.records(), info, self.notes)
