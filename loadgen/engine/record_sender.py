"""The record sender: sends the records of one sender to the collector, in batches, off the timed path."""

import asyncio
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import zmq

from collector.records.messages import RECORDS, Note, pack_notes
from collector.records.record import FORMAT_SHIFT, RECORD, ErrorKind, Outcome
from loadgen.media.headers import NO_MEDIA_INFO, MediaInfo
from loadgen.transport.interface import NO_JOB, Milestones

FLUSH_S: Final = 0.02
EXAMPLE_CHARS: Final = 1000  # of a server's error text
_ROW: Final = struct.Struct("<IHHBBHfqqqqqqqqqqHHHHIf")
assert _ROW.size == RECORD.itemsize


class RecordSender:
    """Packs a row when a request ends and sends batches every FLUSH_S; texts pass through `hide` first."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        socket: zmq.Socket[bytes],
        sender: int,
        hide: Callable[[str], str] = lambda text: text,
    ) -> None:
        self._loop, self._socket, self._sender, self._hide = loop, socket, sender, hide
        self._hide_name = lru_cache(maxsize=256)(hide)  # all answers of a server name the same stages
        self._rows: list[bytes] = []
        self._notes: list[tuple[int, Note]] = []
        self._explained: set[str] = set()
        self._armed = False

    def record(
        self,
        index: int,
        outcome: Outcome,
        times: tuple[int, int, int, int],
        *,
        error: ErrorKind = ErrorKind.NONE,
        status: int = 0,
        flags: int = 0,
        peak_memory_mb: float = float("nan"),
        received: int = 0,
        milestones: Milestones = NO_JOB,
        failed_polls: int = 0,
        media: MediaInfo = NO_MEDIA_INFO,
        inference_s: float = float("nan"),
    ) -> None:
        """Add the row of one request; `times` are scheduled, sent, first byte, done (ns)."""
        outputs, width, height, frames, file_format = media
        ending = (self._sender, status, outcome, error, flags | file_format << FORMAT_SHIFT, peak_memory_mb)
        row = _ROW.pack(
            *(index, *ending, *times, received, *milestones, outputs, width, height, failed_polls, frames, inference_s)
        )
        self._rows.append(row)
        self._arm()

    def note(self, index: int, note: Note) -> None:
        """Add a note: what does not fit a row."""
        self._notes.append((index, self._hidden(note)))
        self._arm()

    def explain(self, index: int, error: str, example: str) -> None:
        """Add an example of an error, only the first of each kind."""
        if error not in self._explained:
            self._explained.add(error)
            self.note(index, {"error": error, "example": example})

    def _hidden(self, note: Note) -> Note:
        """The note without secrets; cut after hiding, since half a secret is one too."""
        if stages := note.get("stages"):
            note = {**note, "stages": {self._hide_name(name): duration_s for name, duration_s in stages.items()}}
        if example := note.get("example"):
            note = {**note, "example": self._hide(example)[:EXAMPLE_CHARS]}
        if retry_after := note.get("retry_after"):
            note = {**note, "retry_after": self._hide(retry_after)[:EXAMPLE_CHARS]}
        return note

    def _arm(self) -> None:
        if not self._armed:
            self._armed = True
            self._loop.call_later(FLUSH_S, self.flush)

    def flush(self) -> None:
        """Send the batch. The socket has no high-water mark, so this never blocks."""
        self._armed = False
        if self._notes:  # first, so that a receiver with all records has all notes too
            self._socket.send(pack_notes(self._notes), zmq.NOBLOCK)
            self._notes.clear()
        if self._rows:
            self._socket.send(RECORDS + b"".join(self._rows), zmq.NOBLOCK)
            self._rows.clear()
