"""Replicas: a transport over several servers; each request names its server by number."""

from collections.abc import Callable, Sequence

from loadgen.bodies.request import Request
from loadgen.transport.interface import Answer, Exchange, Transport


class Replicas:
    """One transport for each `--base-url`, in their order."""

    def __init__(self, transports: Sequence[Transport]) -> None:
        self._transports = transports
        self.name = transports[0].name

    async def open(self, connections: int) -> int:
        """Open an equal share of connections to each; return the total now open."""
        share = -(-connections // len(self._transports))
        return sum([await each.open(share) for each in self._transports])

    def send(self, request: Request, done: Callable[[Answer], None], not_before_ns: int = 0) -> Exchange:
        """Start an exchange with the server of the request."""
        return self._transports[request.replica].send(request, done, not_before_ns)

    async def close(self) -> None:
        """Close the connections to all of them."""
        for each in self._transports:
            await each.close()
