"""What the simulated server saw: ground truth for tests of the tool that loads it."""

import time
from collections import deque
from dataclasses import dataclass
from typing import Final

_KEPT: Final = 100_000  # visits; older ones are forgotten


@dataclass(slots=True)
class Visit:
    """One request as the server saw it, filled in as it goes; stamps are CLOCK_MONOTONIC ns, 0 where it never came.

    `in_flight` counts the requests inside when it arrived, itself included. `finished_ns` is when the generation ends,
    known as soon as it is queued. `status` is 0 while it is inside and after a reset, 499 where the client went away
    first. A video job is inside until a poll tells of its end, or it is deleted; one that failed has status 500.
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

    def reply(self, status: int) -> None:
        """Note that the answer is made now, unless that was noted before."""
        self.status, self.replied_ns = status, self.replied_ns or time.monotonic_ns()

    def stamps(self) -> dict[str, str]:
        """Return the stamps there are as headers."""
        stamps = {
            "Received": self.received_ns,
            "Started": self.started_ns,
            "Finished": self.finished_ns,
            "Replied": self.replied_ns,
        }
        return {f"X-Sim-{name}-Ns": str(stamp) for name, stamp in stamps.items() if stamp}


class RequestLog:
    """Visits in order of arrival, and exact counts of how many requests were inside at once."""

    def __init__(self) -> None:
        self.visits: deque[Visit] = deque(maxlen=_KEPT)
        self._requests = 0
        self._in_flight = 0
        self._max_in_flight = 0

    def arrive(self) -> Visit:
        """Note that a request is inside from now on."""
        self._requests += 1
        self._in_flight += 1
        self._max_in_flight = max(self._max_in_flight, self._in_flight)
        visit = Visit(time.monotonic_ns(), self._in_flight)
        self.visits.append(visit)
        return visit

    def leave(self) -> None:
        """Note that one of the requests inside is about to be answered, or will never be."""
        self._in_flight -= 1

    def stats(self) -> dict[str, int]:
        """Return how many requests came, are inside, and were inside at the worst moment."""
        return {"requests": self._requests, "in_flight": self._in_flight, "max_in_flight": self._max_in_flight}
