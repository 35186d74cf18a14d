"""The store: every request of a plan, encoded once, in memory that all senders see without a copy each."""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from collector.records import shared_memory
from loadgen.bodies.request import Request


@dataclass(frozen=True, slots=True)
class RequestStore:
    """Requests of one endpoint by number. They differ by body only; `offsets` has one item more than requests."""

    method: str
    path: str
    content_type: str
    bodies: memoryview
    offsets: memoryview

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def request(self, entry: int, replica: int = 0) -> Request:
        """Return request number `entry`, for base URL number `replica`; its body is a view, not a copy."""
        body = self.bodies[self.offsets[entry] : self.offsets[entry + 1]]
        return Request(self.method, self.path, self.content_type, body, replica)

    @classmethod
    def attach(cls, message: dict[str, Any]) -> "RequestStore":
        """See the store that a StoreWriter finished, in another process."""
        bodies, offsets = (
            shared_memory.attach(message["bodies"], np.uint8),
            shared_memory.attach(message["offsets"], np.int64),
        )
        return cls(message["method"], message["path"], message["content_type"], bodies.data, offsets.data)


class RequestStoreWriter:
    """Fills a store, one request after the other, without holding them all at once."""

    def __init__(self) -> None:
        self._memory = shared_memory.anonymous_file()
        self._file = os.fdopen(self._memory.fileno(), "wb", buffering=1 << 20, closefd=False)
        self._ends = [0]
        self._kind: tuple[str, str, str] | None = None

    def add(self, request: Request) -> int:
        """Add a request of the same endpoint as the others; return its number."""
        kind = (request.method, request.path, request.content_type)
        self._kind = self._kind or kind
        assert kind == self._kind, f"one store holds requests of one endpoint: {kind} is not {self._kind}"
        self._file.write(request.body)
        self._ends.append(self._ends[-1] + len(request.body))
        return len(self._ends) - 2

    def finish(self) -> dict[str, Any]:
        """Close the store; in a message, what is returned is what `Store.attach` takes."""
        assert self._kind is not None, "a store without requests"
        self._file.close()
        method, path, content_type = self._kind
        offsets = shared_memory.share(np.array(self._ends, np.int64))
        return {
            "method": method,
            "path": path,
            "content_type": content_type,
            "bodies": self._memory,
            "offsets": offsets,
        }
