"""Turns samples into bytes and bodies into replies: one file per endpoint, and one table that names them."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Protocol, cast, runtime_checkable

from loadgen.backends import chat_completions, image_edits, image_generations, plugins, videos, videos_sync
from loadgen.backends.videos import Job, State
from loadgen.bodies.parsed_answer import ParsedAnswer
from loadgen.bodies.request import Request
from loadgen.datasets.sample import Sample
from loadgen.errors import UsageError

__all__ = ["ENDPOINTS", "Endpoint", "Job", "JobEndpoint", "ParsedAnswer", "Request", "State", "endpoint"]


class Endpoint(Protocol):
    """What a file of this package offers: one dialect, both ways."""

    @property
    def name(self) -> str:
        """What `--backend` calls it."""

    @property
    def path(self) -> str:
        """Joined to the base URL."""

    @property
    def tasks(self) -> Sequence[str]:
        """What it can be asked for."""

    @property
    def needs_authorization(self) -> bool:
        """Whether servers want a bearer token even where none was given; it is `EMPTY` then."""

    @property
    def takes_n(self) -> bool:
        """Whether one request can ask for several images, by a field `n`."""

    @property
    def headers(self) -> Sequence[str]:
        """Which headers of an answer hold figures (see figures.py), in lower case; none costs nothing."""

    def asked_size(self, sample: Sample) -> tuple[int, int]:
        """Width and height in pixels that the request for a sample asks for; (0, 0) leaves them to the server."""

    def encode(self, sample: Sample, model: str, task: str) -> Request:
        """Turn a sample, flags already merged in, into bytes; raises UsageError where it cannot be."""

    def read(self, body: bytes | bytearray | memoryview, task: str, n: int = 1) -> ParsedAnswer:
        """Say what the body of a 200 answer to a request for `n` images (or one video) holds; never raises."""

    def media(self, body: bytes) -> Iterable[bytes]:
        """Decode the images and videos of a body that `read` took for a success."""


@runtime_checkable
class JobEndpoint(Protocol):
    """What an endpoint offers besides, whose requests create jobs; its `read` and `media` are of a job's content."""

    def read_job(self, body: bytes | bytearray | memoryview, expected: str | None = None) -> Job:
        """Say what the answer to a creation, or to a poll of the job `expected`, means; never raises."""

    def poll(self, job_id: str) -> Request:
        """Ask how far a job is."""

    def content(self, job_id: str) -> Request:
        """Ask for what a completed job made."""

    def delete(self, job_id: str) -> Request:
        """Ask the server to forget a job."""


ENDPOINTS: Final[Mapping[str, Endpoint]] = MappingProxyType(
    {
        found.name: found
        for found in cast(
            "tuple[Endpoint, ...]", (chat_completions, image_generations, image_edits, videos, videos_sync)
        )
    }
)


def endpoint(backend: str, task: str, n: int = 1) -> Endpoint:
    """Look up the endpoint that `--backend` names; UsageError where it is unknown or cannot do `task` or `n` images."""
    found = named(backend)
    if task not in found.tasks:
        raise UsageError(f"--task {task}: not with --backend {backend}; choose one of {', '.join(found.tasks)}")
    if n > 1 and not found.takes_n:
        able = ", ".join(one.name for one in ENDPOINTS.values() if one.takes_n)
        raise UsageError(f"--n {n}: --backend {backend} makes one a request; drop --n, or choose one of {able}")
    return found


def named(backend: str) -> Endpoint:
    """Look up an endpoint: ours first, then what is installed beside us; UsageError where there is none."""
    found = ENDPOINTS.get(backend) or plugins.load(backend)
    if found is None:
        known = ", ".join((*ENDPOINTS, *plugins.names()))
        raise UsageError(f"--backend {backend}: no such endpoint; choose one of {known}")
    return found
