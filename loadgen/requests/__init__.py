"""Turns samples into bytes and bodies into replies: one file per endpoint, and one table that names them."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, Protocol

from loadgen.errors import UsageError
from loadgen.requests import chat
from loadgen.requests.reply import Reply
from loadgen.requests.request import Request
from loadgen.samples.sample import Sample

__all__ = ["ENDPOINTS", "Endpoint", "Reply", "Request", "endpoint"]


class Endpoint(Protocol):
    """What a file of this package offers: one dialect, both ways."""

    @property
    def name(self) -> str:
        """What `--backend` calls it."""

    @property
    def path(self) -> str:
        """Joined to the base URL."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """What it can be asked for."""

    def encode(self, sample: Sample, model: str, task: str) -> Request:
        """Turn a sample, flags already merged in, into bytes; raises UsageError where it cannot be."""

    def read(self, body: bytes | bytearray | memoryview, task: str) -> Reply:
        """Say what the body of a 200 answer holds; never raises."""

    def media(self, body: bytes) -> Iterable[bytes]:
        """Decode the images and videos of a body that `read` took for a success."""


ENDPOINTS: Final[Mapping[str, Endpoint]] = MappingProxyType({chat.name: chat})


def endpoint(backend: str, task: str) -> Endpoint:
    """Look up the endpoint that `--backend` names; raises UsageError where it is unknown or cannot do `task`."""
    if (found := ENDPOINTS.get(backend)) is None:
        raise UsageError(f"--backend {backend}: no such endpoint; choose one of {', '.join(ENDPOINTS)}")
    if task not in found.tasks:
        raise UsageError(f"--task {task}: not with --backend {backend}; choose one of {', '.join(found.tasks)}")
    return found
