"""A request: a sample turned into bytes for one endpoint."""

from typing import NamedTuple


class Request(NamedTuple):
    """One HTTP request, encoded. `path` is joined to base URL number `replica`; `body` is sent as it stands."""

    method: str
    path: str
    content_type: str
    body: bytes | memoryview
    replica: int = 0
