"""The request log of the simulated server: exact times and counts, against which tests compare measurements."""

import time
from collections import deque
from dataclasses import dataclass
from typing import Final

_MAX_ENTRIES: Final = 100_000  # the oldest one is dropped beyond that


@dataclass(slots=True)
class LogEntry:
    """One request, filled in as it progresses; times are CLOCK_MONOTONIC ns, 0 if not reached.

    `in_flight` counts the requests in flight when it arrived, itself included. `finished_ns` is when the generation
    ends, known as soon as it is queued. `status` is 0 while it is in flight and after a reset, 499 if the client
    disconnected first. A video job is in flight until a poll reports its end or it is deleted; if it failed, its status
    is 500.
    """

    received_ns: int
    in_flight: int
    started_ns: int = 0
    finished_ns: int = 0
    replied_ns: int = 0
    width: int = 0
    height: int = 0
    steps: int = 0
    frames: int = 0
    prompt: str = ""
    status: int = 0
    polls: int = 0

    def mark_answered(self, status: int) -> None:
        """Set the status, and the time of the answer unless it is set already."""
        self.status, self.replied_ns = status, self.replied_ns or time.monotonic_ns()

    def headers(self) -> dict[str, str]:
        """Return the times that are set as headers."""
        times_ns = {
            "Received": self.received_ns,
            "Started": self.started_ns,
            "Finished": self.finished_ns,
            "Replied": self.replied_ns,
        }
        return {f"X-Sim-{name}-Ns": str(time_ns) for name, time_ns in times_ns.items() if time_ns}


class RequestLog:
    """Log entries in order of arrival, and exact counts of the requests in flight."""

    def __init__(self) -> None:
        self.entries: deque[LogEntry] = deque(maxlen=_MAX_ENTRIES)
        self._requests = 0
        self._in_flight = 0
        self._max_in_flight = 0

    def arrive(self) -> LogEntry:
        """Log a new request, which is in flight from now on."""
        self._requests += 1
        self._in_flight += 1
        self._max_in_flight = max(self._max_in_flight, self._in_flight)
        entry = LogEntry(time.monotonic_ns(), self._in_flight)
        self.entries.append(entry)
        return entry

    def leave(self) -> None:
        """Count a request out: it is about to be answered, or never will be."""
        self._in_flight -= 1

    def stats(self) -> dict[str, int]:
        """Return the number of requests so far, of those in flight, and the maximum in flight."""
        return {"requests": self._requests, "in_flight": self._in_flight, "max_in_flight": self._max_in_flight}
