"""The request store: every distinct request of a plan, encoded once, in memory that all senders share."""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from collector.records import shared_memory
from loadgen.bodies.request import Request


@dataclass(frozen=True, slots=True)
class RequestStore:
    """Requests of one endpoint by entry number. They differ only in the body; `offsets` has one more item."""

    method: str
    path: str
    content_type: str
    bodies: memoryview
    offsets: memoryview

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def request(self, entry: int, replica: int = 0) -> Request:
        """Return the request of an entry, for base URL number `replica`; its body is a view, not a copy."""
        body = self.bodies[self.offsets[entry] : self.offsets[entry + 1]]
        return Request(self.method, self.path, self.content_type, body, replica)

    @classmethod
    def attach(cls, message: dict[str, Any]) -> "RequestStore":
        """Open, in another process, the store that a RequestStoreWriter finished."""
        bodies, offsets = (
            shared_memory.attach(message["bodies"], np.uint8),
            shared_memory.attach(message["offsets"], np.int64),
        )
        return cls(message["method"], message["path"], message["content_type"], bodies.data, offsets.data)


class RequestStoreWriter:
    """Writes a store, one request after the other."""

    def __init__(self) -> None:
        self._memory = shared_memory.anonymous_file()
        self._file = os.fdopen(self._memory.fileno(), "wb", buffering=1 << 20, closefd=False)
        self._ends = [0]
        self._endpoint: tuple[str, str, str] | None = None

    def add(self, request: Request) -> int:
        """Add a request of the same endpoint as the others; return its entry number."""
        endpoint = (request.method, request.path, request.content_type)
        self._endpoint = self._endpoint or endpoint
        assert endpoint == self._endpoint, (
            f"one store holds requests of one endpoint: {endpoint} is not {self._endpoint}"
        )
        self._file.write(request.body)
        self._ends.append(self._ends[-1] + len(request.body))
        return len(self._ends) - 2

    def finish(self) -> dict[str, Any]:
        """Close the store; return the message for `RequestStore.attach`."""
        assert self._endpoint is not None, "a store without requests"
        self._file.close()
        method, path, content_type = self._endpoint
        offsets = shared_memory.share(np.array(self._ends, np.int64))
        return {
            "method": method,
            "path": path,
            "content_type": content_type,
            "bodies": self._memory,
            "offsets": offsets,
        }
