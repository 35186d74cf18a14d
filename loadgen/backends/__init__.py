"""API backends: each encodes samples as requests and parses answers. One file per backend, and the table of them."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Protocol, cast, runtime_checkable

from loadgen.backends import (
    chat_completions,
    dynamo_videos,
    image_edits,
    image_generations,
    lightx2v_image,
    lightx2v_video,
    plugins,
    videos,
    videos_sync,
)
from loadgen.bodies.job_status import Job, State
from loadgen.bodies.parsed_answer import ParsedAnswer
from loadgen.bodies.request import Request
from loadgen.datasets.sample import Sample
from loadgen.errors import UsageError

__all__ = ["BACKENDS", "Backend", "Job", "JobBackend", "ParsedAnswer", "Request", "State", "UrlBackend", "backend_for"]


class Backend(Protocol):
    """The interface of a backend: encodes requests of one API and parses its answers."""

    @property
    def name(self) -> str:
        """Its name for `--backend`."""

    @property
    def path(self) -> str:
        """URL path, joined to the base URL."""

    @property
    def tasks(self) -> Sequence[str]:
        """The tasks that it supports, such as `t2i`."""

    @property
    def needs_authorization(self) -> bool:
        """Whether servers expect a bearer token; without an API key, `EMPTY` is sent."""

    @property
    def takes_n(self) -> bool:
        """Whether one request can ask for several images, by a field `n`."""

    @property
    def headers(self) -> Sequence[str]:
        """Answer headers that hold server figures (`bodies/server_figures.py`), in lower case; often none."""

    def requested_size(self, sample: Sample) -> tuple[int, int]:
        """Width and height in pixels that the request asks for; (0, 0) if the server chooses."""

    def encode(self, sample: Sample, model: str, task: str) -> Request:
        """Encode a sample, with flags already merged in; raises UsageError if it cannot be encoded."""

    def read(self, body: bytes | bytearray | memoryview, task: str, n: int = 1) -> ParsedAnswer:
        """Parse the body of a 200 answer to a request for `n` images (or one video); never raises."""

    def media(self, body: bytes) -> Iterable[bytes]:
        """Decode the images and videos of a body that `read` parsed as a success."""


@runtime_checkable
class JobBackend(Protocol):
    """The further interface of a backend whose requests create jobs; its `read` and `media` parse a job's content.

    A further attribute `delete_stops_work` may say whether a DELETE ends the work of an unfinished job; without it, the
    answers to DELETEs show that (`bodies/job_status.py`).
    """

    def read_job(self, body: bytes | bytearray | memoryview, expected: str | None = None) -> Job:
        """Parse the answer to a job creation, or to a poll of the job `expected`; never raises."""

    def poll(self, job_id: str) -> Request:
        """Return the request for the status of a job."""

    def content(self, job_id: str) -> Request:
        """Return the request for the content of a completed job."""

    def delete(self, job_id: str) -> Request:
        """Return the request that deletes a job."""


@runtime_checkable
class UrlBackend(Protocol):
    """The further interface of a backend whose answers may hold URLs of media (`--response-format url`)."""

    def urls(self, body: bytes | bytearray | memoryview) -> tuple[str, ...]:
        """Return the URLs of the media that a 200 body does not hold itself; never raises."""

    def with_media(self, body: bytes | bytearray | memoryview, media: Sequence[bytes]) -> bytes:
        """Return that body with the fetched media, in the order of `urls`, in it."""


BACKENDS: Final[Mapping[str, Backend]] = MappingProxyType(
    {
        found.name: found
        for found in cast(
            "tuple[Backend, ...]",
            (
                *(chat_completions, image_generations, image_edits, videos, videos_sync),
                *(dynamo_videos, lightx2v_image, lightx2v_video),
            ),
        )
    }
)


def backend_for(name: str, task: str, n: int = 1) -> Backend:
    """Look up a backend; raises UsageError if it is unknown or does not support `task` or `n` images."""
    backend = find_backend(name)
    if task not in backend.tasks:
        raise UsageError(f"--task {task}: not supported by --backend {name}; choose one of {', '.join(backend.tasks)}")
    if n > 1 and not backend.takes_n:
        able = ", ".join(each.name for each in BACKENDS.values() if each.takes_n)
        raise UsageError(f"--n {n}: --backend {name} makes one output a request; drop --n, or choose one of {able}")
    return backend


def check_response_format(name: str, response_format: str | None) -> None:
    """Raise UsageError if a backend cannot ask for this `--response-format`."""
    if response_format is not None and not isinstance(find_backend(name), UrlBackend):
        able = ", ".join(each.name for each in BACKENDS.values() if isinstance(each, UrlBackend))
        raise UsageError(
            f"--response-format {response_format}: --backend {name} has no such field; drop it, or choose one of {able}"
        )


def find_backend(name: str) -> Backend:
    """Look up a built-in backend or an installed plugin by name; raises UsageError if there is none."""
    backend = BACKENDS.get(name) or plugins.load(name)
    if backend is None:
        known = ", ".join((*BACKENDS, *plugins.names()))
        raise UsageError(f"--backend {name}: no such backend; choose one of {known}")
    return backend
