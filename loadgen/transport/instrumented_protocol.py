"""A protocol of aiohttp's that also says when the first byte of an answer came, and how its connection ended."""

from contextvars import ContextVar
from typing import Any, Protocol

from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError

from loadgen.clock import now_ns


class Watcher(Protocol):
    """Who is told of it."""

    first_byte_ns: int
    began_well: bool
    lost_by: BaseException | None
    broken_by: HttpProcessingError | None


WATCHER: ContextVar[Watcher] = ContextVar("WATCHER")  # of the task that sends a request


class InstrumentedHandler(ResponseHandler):
    """Stamps bytes as they come: aiohttp itself tells of an answer once its head is whole."""

    _watcher: Watcher | None = None

    def set_response_params(self, **params: Any) -> None:
        """What aiohttp calls before it sends a request on this connection, from the task of that request."""
        self._watcher = WATCHER.get(None)
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        watcher = self._watcher
        if watcher is not None and not watcher.first_byte_ns:
            watcher.first_byte_ns, watcher.began_well = now_ns(), data.startswith(b"HTTP/")
        super().data_received(data)

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        """What aiohttp calls with all that goes wrong; whoever reads a whole body does not hear of a broken rest."""
        if self._watcher is not None and isinstance(exc, HttpProcessingError):
            self._watcher.broken_by = exc
        super().set_exception(exc, *cause)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._watcher is not None:
            self._watcher.lost_by = exc
        super().connection_lost(exc)
