"""aiohttp's protocol, instrumented: also records the first byte of an answer and how the connection ended."""

from contextvars import ContextVar
from typing import Any, Protocol

from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError

from loadgen.clock import now_ns


class ExchangeState(Protocol):
    """Receives what the protocol records."""

    first_byte_ns: int
    looks_like_http: bool
    connection_error: BaseException | None
    protocol_error: HttpProcessingError | None


CURRENT_EXCHANGE: ContextVar[ExchangeState] = ContextVar("CURRENT_EXCHANGE")  # set in the task that sends the request


class InstrumentedHandler(ResponseHandler):
    """Takes the first-byte time on arrival: aiohttp itself reports an answer only when its head is complete."""

    _exchange: ExchangeState | None = None

    def set_response_params(self, **params: Any) -> None:
        """Called by aiohttp before it sends a request on this connection, in the task of that request."""
        self._exchange = CURRENT_EXCHANGE.get(None)
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is not None and not exchange.first_byte_ns:
            exchange.first_byte_ns, exchange.looks_like_http = now_ns(), data.startswith(b"HTTP/")
        super().data_received(data)

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        """Called by aiohttp with every error; the reader of a complete body would miss malformed bytes after it."""
        if self._exchange is not None and isinstance(exc, HttpProcessingError):
            self._exchange.protocol_error = exc
        super().set_exception(exc, *cause)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._exchange is not None:
            self._exchange.connection_error = exc
        super().connection_lost(exc)
