"""The seam to the network: what a sender asks of an HTTP client, and what it gets back."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

from collector.records.record import ErrorKind
from loadgen.bodies.parsed_answer import ParsedAnswer
from loadgen.bodies.request import Request

# A kept-alive connection that ends this soon after a request was written on it, without a byte of an answer, is one
# that the server had just closed: the request is sent once more. Later than this, the server may have worked on it.
JUST_CLOSED_NS: Final = 20_000_000


NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


class Milestones(NamedTuple):
    """How far a job came, CLOCK_MONOTONIC ns as in `collector.records.record.RECORD`; 0 for what it did not reach."""

    accepted_ns: int = 0
    pending_ns: int = 0
    completed_ns: int = 0
    content_ns: int = 0


NO_JOB: Final = Milestones()


class Answer(NamedTuple):
    """How one exchange ended. Stamps are CLOCK_MONOTONIC ns, taken before anything is parsed.

    `sent_ns`: just before the first write, or before connecting where no open connection was at hand.
    A `body` that is a memoryview is good until the callback returns.
    `headers` are those that the target names, by lower-case name.
    `first_byte_ns` is 0 where nothing came; `done_ns` is the last byte received, or the instant of the failure.
    `head` is raw, and empty where it has nothing to tell (see remarks.py).
    Of a job: `sent_ns` is of its creation, the rest of the exchange that ended it; `overdue` if that one took too long,
    and `told` is what its polls said.
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
    told: ParsedAnswer | None = None
    overdue: bool = False


class Exchange(Protocol):
    """One request on its way; `flags` are those that its answer will have."""

    @property
    def sent_ns(self) -> int:
        """As in `Answer`; 0 or preliminary until it is known."""

    @property
    def first_byte_ns(self) -> int:
        """0 until something came."""

    @property
    def milestones(self) -> Milestones:
        """How far it came, if it is a job."""

    @property
    def flags(self) -> int:
        """Those that its answer will have."""

    def abandon(self) -> None:
        """Give up: close what it used. Its callback is never called after this."""


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
