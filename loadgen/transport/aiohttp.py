"""The aiohttp transport: one task per request; aiohttp's own limits and timeouts are off."""

import asyncio
import functools
import ssl
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from collector.records.record import RETRIED
from loadgen.bodies.request import Request
from loadgen.clock import now_ns
from loadgen.server.target import Target
from loadgen.server.tls import tls_context
from loadgen.transport.aiohttp_failures import BrokenBodyError, Progress, TooLargeError, failure
from loadgen.transport.answer_headers import HEAD_LIMIT, needs_head
from loadgen.transport.instrumented_protocol import CURRENT_EXCHANGE, InstrumentedHandler
from loadgen.transport.interface import JUST_CLOSED_NS, NO_JOB, Answer

_NO_LIMIT = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)
_OPENING = aiohttp.ClientTimeout(total=None, connect=10)
_KEEPALIVE_S = 86_400
_OPEN_AT_ONCE = 32  # a listen backlog holds about 100
_DROPPED = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientConnectionResetError)


class AiohttpTransport:
    """Sends requests through one aiohttp session; connections stay open until the server closes them.

    With a proxy no connection is opened ahead of time, so the first requests include connecting.
    """

    name = "aiohttp"

    def __init__(self, target: Target) -> None:
        self._url = URL(target.origin, encoded=True)
        self._tls = tls_context(target) or True  # True is aiohttp's default
        self._proxy, self._target = target.proxy, target
        self._connector = _connector(target, self._tls)
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            proxy=target.proxy,
            timeout=_NO_LIMIT,
            headers=target.headers,
            max_line_size=HEAD_LIMIT,
            max_field_size=HEAD_LIMIT,
            skip_auto_headers=("Accept-Encoding",),  # decompressing would add client time
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[_trace_config()],
        )
        self._session._retry_connection = False  # it would hide a GET that failed; `_exchange` decides on retries

    async def open(self, connections: int) -> int:
        """Open connections ahead of time, a few at once; return how many there are now."""
        connections = 0 if self._proxy else connections  # aiohttp keeps a proxy's connections per destination
        opened: list[aiohttp.connector.Connection] = []
        for first in range(0, connections, _OPEN_AT_ONCE):
            group = range(min(_OPEN_AT_ONCE, connections - first))
            found = await asyncio.gather(*(self._connect() for _ in group), return_exceptions=True)
            opened += [each for each in found if isinstance(each, aiohttp.connector.Connection)]
            if len(opened) < first + len(group):
                break  # the server accepts no more; requests will report the error
        for connection in opened:
            connection.release()
        return len(opened)

    async def _connect(self) -> aiohttp.connector.Connection:
        request = aiohttp.ClientRequest("GET", self._url, loop=asyncio.get_running_loop(), ssl=self._tls)
        return await self._connector.connect(request, [], _OPENING)

    def send(self, request: Request, done: Callable[[Answer], None], not_before_ns: int = 0) -> "AiohttpExchange":
        """Start an exchange in its own task; the first write follows in about 100 us."""
        return AiohttpExchange(self._session, self._url, request, done, self._target)

    async def close(self) -> None:
        """Close the session and its connections."""
        await self._session.close()


class AiohttpExchange:
    """One request and its answer."""

    __slots__ = (
        "_done",
        "_head_complete",
        "_request",
        "_reused",
        "_session",
        "_stamped",
        "_target",
        "_task",
        "_tried_ns",
        "_url",
        "connection_error",
        "first_byte_ns",
        "flags",
        "looks_like_http",
        "protocol_error",
        "sent_ns",
    )
    milestones, failed_polls = NO_JOB, 0

    def __init__(
        self, session: aiohttp.ClientSession, url: URL, request: Request, done: Callable[[Answer], None], target: Target
    ) -> None:
        self._session, self._url, self._request, self._done, self._target = session, url, request, done, target
        self._stamped = self._reused = self._head_complete = self.looks_like_http = False
        self.connection_error: BaseException | None = None
        self.protocol_error: HttpProcessingError | None = None
        self.sent_ns, self.first_byte_ns, self.flags = now_ns(), 0, 0
        self._task = asyncio.get_running_loop().create_task(self._run())

    def stamp(self, reused: bool) -> None:
        """Take `sent_ns` just before the first write or before connecting; a retry keeps the first one."""
        self._reused, self._tried_ns = reused, now_ns()
        if not self._stamped:
            self._stamped, self.sent_ns = True, now_ns()

    def abandon(self) -> None:
        """Give up; aiohttp closes the connection of a cancelled request."""
        self._task.cancel()

    async def _run(self) -> None:
        CURRENT_EXCHANGE.set(self)
        try:
            answer = await self._exchange()
        except Exception as error:
            answer = self._failure(error, now_ns())
        self._done(answer)

    async def _exchange(self) -> Answer:
        try:
            return await self._once()
        except _DROPPED:
            if not self._reused or self.first_byte_ns or now_ns() - self._tried_ns > JUST_CLOSED_NS:
                raise
        # The server closed the kept-alive connection as the request was written, without an answer: retry once.
        self.connection_error = self.protocol_error = None
        self.flags = RETRIED
        return await self._once()

    def _content_type(self, request: Request) -> dict[str, str] | None:
        """The header of the body, unless the user gives one for every request."""
        typed = any(name.lower() == "content-type" for name in self._target.headers)
        return {"Content-Type": request.content_type} if request.content_type and not typed else None

    async def _once(self) -> Answer:
        request = self._request
        url = URL(self._target.origin + self._target.path_of(request.path), encoded=True)
        request_headers = self._content_type(request)
        async with self._session.request(
            request.method,
            url,
            data=request.body or None,
            headers=request_headers,
            allow_redirects=False,
            trace_request_ctx=self,
        ) as response:
            self._head_complete = True
            self.first_byte_ns = self.first_byte_ns or now_ns()
            _fail_body_on_close(response)
            body, done_ns = await _read(response, self._target.max_body_bytes), now_ns()
            if self.protocol_error:
                raise BrokenBodyError(self.protocol_error.message)
            if self.connection_error and response.status < 400 and _ends_at_close(response):
                raise aiohttp.ClientPayloadError  # the apparent end of the body was a reset
            headers = {name: response.headers[name] for name in self._target.answer_headers if name in response.headers}
            head = _raw_head(response) if needs_head(response.status, body[:1]) else b""
            stamps = (self.sent_ns, self.first_byte_ns, done_ns)
            return Answer(*stamps, response.status, body, flags=self.flags, headers=headers, head=head)

    def _failure(self, error: Exception, done_ns: int) -> Answer:
        progress = Progress(
            self._url.scheme == "https",
            bool(self.first_byte_ns),
            self.looks_like_http,
            self._head_complete,
            self.connection_error,
        )
        kind, detail = failure(error, progress)
        return Answer(self.sent_ns, self.first_byte_ns, done_ns, error=kind, detail=detail, flags=self.flags)


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Read the body. Raises TooLargeError beyond `limit` bytes."""
    length = response.content_length
    if length is not None and length > limit:
        raise TooLargeError(f"a body of {length} bytes, where --max-body-bytes allows {limit}")
    if length is not None:
        return await response.read()
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise TooLargeError(f"a body of {len(body)} bytes or more, where --max-body-bytes allows {limit}")
    return bytes(body)


def _ends_at_close(response: aiohttp.ClientResponse) -> bool:
    """Whether the body is delimited by the end of the connection."""
    return response.content_length is None and "chunked" not in response.headers.get("Transfer-Encoding", "").lower()


def _raw_head(response: aiohttp.ClientResponse) -> bytes:
    return b"".join(b"\r\n%s: %s" % pair for pair in response.raw_headers) + b"\r\n"


def _fail_body_on_close(response: aiohttp.ClientResponse) -> None:
    """Fail a body that is still being read when its connection ends.

    aiohttp 3.14 closes a connection with malformed chunks but leaves the reader of the body waiting.
    """
    connection, content = response.connection, response.content
    protocol = connection.protocol if connection else None
    if protocol is None or protocol.closed is None:
        return

    def ended(closed: "asyncio.Future[None]") -> None:
        if not closed.cancelled():
            closed.exception()  # retrieve it, or asyncio logs "exception was never retrieved"
        if not content.is_eof() and content.exception() is None:
            cause = protocol.exception()
            if isinstance(cause, HttpProcessingError):
                content.set_exception(BrokenBodyError(cause.message))
            else:
                content.set_exception(aiohttp.ClientPayloadError(f"{cause!r}"))

    protocol.closed.add_done_callback(ended)


def _trace_config() -> aiohttp.TraceConfig:
    """Trace hooks that take `sent_ns`: when a pooled connection is reused, and before a new one is created."""

    async def reuse(_session: Any, context: SimpleNamespace, _params: Any) -> None:
        context.trace_request_ctx.stamp(reused=True)

    async def create(_session: Any, context: SimpleNamespace, _params: Any) -> None:
        context.trace_request_ctx.stamp(reused=False)

    trace = aiohttp.TraceConfig()
    trace.on_connection_reuseconn.append(reuse)
    trace.on_connection_create_start.append(create)
    return trace


def _connector(target: Target, tls: ssl.SSLContext | bool) -> aiohttp.BaseConnector:
    """A connector to the target, over TCP or its Unix socket, whose connections record when bytes arrive."""
    connector: aiohttp.BaseConnector
    if target.unix_socket:
        connector = aiohttp.UnixConnector(target.unix_socket, limit=0, keepalive_timeout=_KEEPALIVE_S)
    else:
        resolver = _PreparedResolver(target)
        connector = aiohttp.TCPConnector(
            limit=0, ssl=tls, resolver=resolver, ttl_dns_cache=None, keepalive_timeout=_KEEPALIVE_S
        )
    handler: type[ResponseHandler] = InstrumentedHandler
    connector._factory = functools.partial(handler, loop=asyncio.get_running_loop())
    return connector


class _PreparedResolver(AbstractResolver):
    """Resolves to the address that was looked up before time zero."""

    def __init__(self, target: Target) -> None:
        self._target = target

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        addresses = {self._target.host: self._target.address}
        address = addresses.get(host, self._target.proxy_address or self._target.address)
        return [ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        pass
