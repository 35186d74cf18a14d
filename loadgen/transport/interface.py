"""The transport interface: what a sender requires of an HTTP client, and the Answer it gets."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

from collector.records.record import ErrorKind
from loadgen.bodies.parsed_answer import ParsedAnswer
from loadgen.bodies.request import Request

# If a kept-alive connection ends this soon after a request was written, without a byte of an answer, the server had
# just closed it, and the request is retried once. Later than this, the server may have processed the request.
JUST_CLOSED_NS: Final = 20_000_000


NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


class Milestones(NamedTuple):
    """When a job reached its states, CLOCK_MONOTONIC ns as in `collector.records.record.RECORD`; 0: not reached."""

    accepted_ns: int = 0
    started_ns: int = 0
    pending_ns: int = 0
    completed_ns: int = 0
    content_ns: int = 0


NO_JOB: Final = Milestones()


class Answer(NamedTuple):
    """How one exchange ended. Times are CLOCK_MONOTONIC ns, taken before parsing.

    `sent_ns`: just before the first write, or before connecting where no open connection was at hand.
    A `body` that is a memoryview is valid until the callback returns.
    `headers` are those that the target names, by lower-case name.
    `first_byte_ns` is 0 where no byte arrived; `done_ns` is the last byte received, or the instant of the failure.
    `head` is raw, and empty where it is not needed (see answer_headers.py).
    For a job: `sent_ns` is that of its creation, the rest that of its last exchange; `overdue` if that one timed out;
    `polled` is the parsed result of its polls, `failed_polls` the number of those that failed and were repeated.
    """

    sent_ns: int
    first_byte_ns: int
    done_ns: int
    status: int = 0
    body: bytes | memoryview = b""
    error: ErrorKind = ErrorKind.NONE
    detail: str = ""
    flags: int = 0
    headers: Mapping[str, str] = NO_HEADERS
    head: bytes = b""
    milestones: Milestones = NO_JOB
    polled: ParsedAnswer | None = None
    failed_polls: int = 0
    overdue: bool = False


class Exchange(Protocol):
    """One request in flight."""

    @property
    def sent_ns(self) -> int:
        """As in `Answer`; 0 or preliminary until the first write."""

    @property
    def first_byte_ns(self) -> int:
        """As in `Answer`; 0 until a byte arrives."""

    @property
    def milestones(self) -> Milestones:
        """The milestones reached, if it is a job."""

    @property
    def flags(self) -> int:
        """The flags of its answer."""

    @property
    def failed_polls(self) -> int:
        """As in `Answer`."""

    def abandon(self) -> None:
        """Give up and close the connection in use. The callback is never called after this."""


class Transport(Protocol):
    """An HTTP client for one server, used by one event loop."""

    name: str

    async def open(self, connections: int) -> int:
        """Open connections ahead of time; return how many there are now."""

    def send(self, request: Request, done: Callable[[Answer], None], not_before_ns: int = 0) -> Exchange:
        """Start an exchange at once; `done` gets its answer, from the event loop and never from inside `send`.

        Nothing is written before `not_before_ns`, which is some microseconds away at most.
        """

    async def close(self) -> None:
        """Close every connection."""
