"""aiohttp as a transport: one task a request, every limit and time-out of its own turned off."""

import asyncio
import functools
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
from loadgen.transport.aiohttp_failures import BrokenBodyError, Came, TooLargeError, failure
from loadgen.transport.answer_headers import HEAD_LIMIT, may_tell
from loadgen.transport.instrumented_protocol import WATCHER, InstrumentedHandler
from loadgen.transport.interface import JUST_CLOSED_NS, NO_JOB, Answer
from loadgen.transport.target import Target
from loadgen.transport.tls import tls_context

_NO_LIMIT = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)
_OPENING = aiohttp.ClientTimeout(total=None, connect=10)
_OPEN_AT_ONCE = 32  # a listen queue holds some 100
_DROPPED = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientConnectionResetError)


class AiohttpTransport:
    """Requests through one aiohttp session whose connections live until the server closes them.

    Behind a proxy nothing is opened ahead of time, so the first requests pay for their connections.
    """

    name = "aiohttp"

    def __init__(self, target: Target) -> None:
        self._url = URL(target.origin + target.prefix, encoded=True)
        self._tls = tls_context(target) or True  # True is aiohttp's word for its default
        self._proxy, self._target = target.proxy, target
        self._connector = _Connector(
            limit=0, ssl=self._tls, resolver=_Known(target), ttl_dns_cache=None, keepalive_timeout=86_400
        )
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            proxy=target.proxy,
            timeout=_NO_LIMIT,
            headers=target.headers,
            max_line_size=HEAD_LIMIT,
            max_field_size=HEAD_LIMIT,
            skip_auto_headers=("Accept-Encoding",),  # a compressed answer would cost us time that is not the server's
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[_stamps()],
        )

    async def open(self, connections: int) -> int:
        """Open connections ahead of time, a few at once; return how many there are now."""
        connections = 0 if self._proxy else connections  # a proxy's are told apart by what goes through them
        opened: list[aiohttp.connector.Connection] = []
        for first in range(0, connections, _OPEN_AT_ONCE):
            group = range(min(_OPEN_AT_ONCE, connections - first))
            found = await asyncio.gather(*(self._connect() for _ in group), return_exceptions=True)
            opened += [each for each in found if isinstance(each, aiohttp.connector.Connection)]
            if len(opened) < first + len(group):
                break  # the server takes no more; requests will find out for themselves
        for connection in opened:
            connection.release()
        return len(opened)

    async def _connect(self) -> aiohttp.connector.Connection:
        request = aiohttp.ClientRequest("GET", self._url, loop=asyncio.get_running_loop(), ssl=self._tls)
        return await self._connector.connect(request, [], _OPENING)

    def send(self, request: Request, done: Callable[[Answer], None], not_before_ns: int = 0) -> "AiohttpExchange":
        """Start an exchange in a task of its own, which is at its first write some 100 us from now."""
        return AiohttpExchange(self._session, self._url, request, done, self._target)

    async def close(self) -> None:
        """Close the session and its connections."""
        await self._session.close()


class AiohttpExchange:
    """One request and its answer."""

    __slots__ = (
        "_done",
        "_headed",
        "_request",
        "_reused",
        "_session",
        "_stamped",
        "_target",
        "_task",
        "_tried_ns",
        "_url",
        "began_well",
        "broken_by",
        "first_byte_ns",
        "flags",
        "lost_by",
        "sent_ns",
    )
    milestones = NO_JOB

    def __init__(
        self, session: aiohttp.ClientSession, url: URL, request: Request, done: Callable[[Answer], None], target: Target
    ) -> None:
        self._session, self._url, self._request, self._done, self._target = session, url, request, done, target
        self._stamped = self._reused = self._headed = self.began_well = False
        self.lost_by: BaseException | None = None
        self.broken_by: HttpProcessingError | None = None
        self.sent_ns, self.first_byte_ns, self.flags = now_ns(), 0, 0
        self._task = asyncio.get_running_loop().create_task(self._run())

    def stamp(self, reused: bool) -> None:
        """Note that the first write, or the connecting before it, comes next. A retry keeps the first stamp."""
        self._reused, self._tried_ns = reused, now_ns()
        if not self._stamped:
            self._stamped, self.sent_ns = True, now_ns()

    def abandon(self) -> None:
        """Give up; aiohttp closes the connection of a cancelled request."""
        self._task.cancel()

    async def _run(self) -> None:
        WATCHER.set(self)
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
        # The kept-alive connection was closed by the server as we wrote: nothing was answered, so ask once more.
        self.lost_by = self.broken_by = None
        self.flags = RETRIED
        return await self._once()

    async def _once(self) -> Answer:
        request = self._request
        url = self._url.joinpath(request.path.lstrip("/"), encoded=True)
        headers = {"Content-Type": request.content_type} if request.content_type else None
        async with self._session.request(
            request.method,
            url,
            data=request.body or None,
            headers=headers,
            allow_redirects=False,
            trace_request_ctx=self,
        ) as response:
            self._headed = True
            self.first_byte_ns = self.first_byte_ns or now_ns()
            _end_with_connection(response)
            body, done_ns = await _read(response, self._target.max_body_bytes), now_ns()
            if self.broken_by:
                raise BrokenBodyError(self.broken_by.message)
            if self.lost_by and _until_end(response):
                raise aiohttp.ClientPayloadError  # what looked like the end of the body was a reset
            found = {name: response.headers[name] for name in self._target.answer_headers if name in response.headers}
            head = _raw_head(response) if may_tell(response.status, body[:1]) else b""
            stamps = (self.sent_ns, self.first_byte_ns, done_ns)
            return Answer(*stamps, response.status, body, flags=self.flags, headers=found, head=head)

    def _failure(self, error: Exception, done_ns: int) -> Answer:
        came = Came(self._url.scheme == "https", bool(self.first_byte_ns), self.began_well, self._headed, self.lost_by)
        kind, detail = failure(error, came)
        return Answer(self.sent_ns, self.first_byte_ns, done_ns, error=kind, detail=detail, flags=self.flags)


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Read the body, unless it is larger than `limit` bytes or turns out to be."""
    length = response.content_length
    if length is not None and length > limit:
        raise TooLargeError(f"a body of {length} bytes, where --max-body-bytes allows {limit}")
    if length is not None:
        return await response.read()
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > limit:
            raise TooLargeError(f"a body of {len(body)} bytes or more, where --max-body-bytes allows {limit}")
    return bytes(body)


def _until_end(response: aiohttp.ClientResponse) -> bool:
    """Whether only the end of the connection ends the body."""
    return response.content_length is None and "chunked" not in response.headers.get("Transfer-Encoding", "").lower()


def _raw_head(response: aiohttp.ClientResponse) -> bytes:
    return b"".join(b"\r\n%s: %s" % pair for pair in response.raw_headers) + b"\r\n"


def _end_with_connection(response: aiohttp.ClientResponse) -> None:
    """Fail a body that is still being read when its connection ends.

    aiohttp 3.14 closes a connection that breaks the rules of chunks, and leaves whoever reads the body waiting.
    """
    connection, content = response.connection, response.content
    protocol = connection.protocol if connection else None
    if protocol is None or protocol.closed is None:
        return

    def ended(closed: "asyncio.Future[None]") -> None:
        if not closed.cancelled():
            closed.exception()  # looked at, or asyncio complains that nobody did
        if not content.is_eof() and content.exception() is None:
            cause = protocol.exception()
            if isinstance(cause, HttpProcessingError):
                content.set_exception(BrokenBodyError(cause.message))
            else:
                content.set_exception(aiohttp.ClientPayloadError(f"{cause!r}"))

    protocol.closed.add_done_callback(ended)


def _stamps() -> aiohttp.TraceConfig:
    """Stamp at the two moments that can be the first on the wire: a connection taken from the pool, or a new one."""

    async def reuse(_session: Any, context: SimpleNamespace, _params: Any) -> None:
        context.trace_request_ctx.stamp(reused=True)

    async def create(_session: Any, context: SimpleNamespace, _params: Any) -> None:
        context.trace_request_ctx.stamp(reused=False)

    trace = aiohttp.TraceConfig()
    trace.on_connection_reuseconn.append(reuse)
    trace.on_connection_create_start.append(create)
    return trace


class _Connector(aiohttp.TCPConnector):
    """A connector whose connections say when bytes come."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        handler: type[ResponseHandler] = InstrumentedHandler
        self._factory = functools.partial(handler, loop=self._loop)


class _Known(AbstractResolver):
    """Answers with the address that was looked up before time zero."""

    def __init__(self, target: Target) -> None:
        self._target = target

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        known = {self._target.host: self._target.address}
        address = known.get(host, self._target.proxy_address or self._target.address)
        return [ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        pass
