"""An encoded HTTP request."""

from typing import NamedTuple


class Request(NamedTuple):
    """One HTTP request. `path` is joined to base URL number `replica`; `body` is sent unchanged."""

    method: str
    path: str
    content_type: str
    body: bytes | memoryview
    replica: int = 0
