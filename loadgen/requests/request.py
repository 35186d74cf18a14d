"""A request: a sample turned into bytes for one endpoint."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, encoded. `path` is joined to the base URL; `body` is sent as it stands."""

    method: str
    path: str
    content_type: str
    body: bytes | memoryview
