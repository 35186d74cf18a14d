"""URL answers: a transport that fetches the media of answers that hold URLs (`--response-format url`).

    request ── answer without URLs, or an error ──> answer
       └────── answer with URLs ──> GET of each, one after the other ──> answer, with the media put in as base64

The fetches are part of the request: they hold its permit and are inside its latency, as the download of a job is.
"""

from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from collector.records.record import ErrorKind
from loadgen.backends import Request, UrlBackend
from loadgen.transport.interface import NO_JOB, Answer, Exchange, Milestones, Transport

_LONGEST: Final = 4096  # characters of a URL


class UrlAnswers:
    """Fetches over another transport, and only from the server that it belongs to: `origin` and its path `prefix`."""

    def __init__(self, transport: Transport, backend: UrlBackend, origin: str, prefix: str) -> None:
        self.transport, self.backend, self.origin, self.prefix = transport, backend, origin, prefix
        self.name = transport.name

    async def open(self, connections: int) -> int:
        """Open connections ahead of time; return how many are open."""
        return await self.transport.open(connections)

    def send(self, request: Request, done: Callable[[Answer], None], not_before_ns: int = 0) -> "UrlExchange":
        """Send a request; `done` gets its answer when all its media have come."""
        return UrlExchange(self, request, done, not_before_ns)

    async def close(self) -> None:
        """Close every connection."""
        await self.transport.close()

    def path(self, url: str) -> str | None:
        """The path and query to request for a URL, None if it is not on this server or not a URL."""
        if not (url.isascii() and url.isprintable()) or " " in url or len(url) > _LONGEST:
            return None
        if url.startswith("/") and not url.startswith("//"):
            return url
        try:
            parts = urlsplit(url)
            port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        except (KeyError, ValueError):
            return None
        own = urlsplit(self.origin)
        if (parts.scheme, parts.hostname, port) != (own.scheme, own.hostname, own.port):
            return None
        path = parts.path.removeprefix(self.prefix) or "/"  # the transport puts the prefix before every path
        return f"{path}?{parts.query}" if parts.query else path


class UrlExchange:
    """One request and the fetches of its media; at any time one exchange is pending."""

    __slots__ = ("_answer", "_done", "_exchange", "_flags", "_media", "_milestones", "_owner", "_paths", "_sent_ns")
    failed_polls = 0

    def __init__(self, owner: UrlAnswers, request: Request, done: Callable[[Answer], None], not_before_ns: int) -> None:
        self._owner, self._done = owner, done
        self._media: list[bytes] = []
        self._paths: list[str] = []
        self._milestones, self._sent_ns, self._flags = NO_JOB, 0, 0
        self._exchange: Exchange | None = owner.transport.send(request, self._answered, not_before_ns)

    @property
    def sent_ns(self) -> int:
        """When the request was sent."""
        return self._sent_ns or (self._exchange.sent_ns if self._exchange else 0)

    @property
    def flags(self) -> int:
        """The flags of all exchanges."""
        return self._flags | (self._exchange.flags if self._exchange else 0)

    @property
    def first_byte_ns(self) -> int:
        """First byte of the pending exchange."""
        return self._exchange.first_byte_ns if self._exchange else 0

    @property
    def milestones(self) -> Milestones:
        """Of a fetch: when the answer with the URLs came, so that its errors are named `content_`."""
        return self._milestones

    def abandon(self) -> None:
        """Give up."""
        self._sent_ns, self._flags = self.sent_ns, self.flags
        if self._exchange:
            self._exchange.abandon()
        self._exchange = None

    def _answered(self, answer: Answer) -> None:
        self._exchange, self._sent_ns, self._flags = None, answer.sent_ns, answer.flags
        urls = self._owner.backend.urls(answer.body) if answer.status == 200 and not answer.error else ()
        if not urls:
            self._done(answer)
            return
        paths = [self._owner.path(url) for url in urls]
        self._paths = [path for path in paths if path]
        if len(self._paths) < len(urls):
            self._refuse(answer, urls[paths.index(None)])
            return
        body = bytes(answer.body)  # a view of it is valid only until this returns
        self._answer = answer._replace(body=body)
        self._milestones = Milestones(pending_ns=answer.done_ns, completed_ns=answer.done_ns)
        self._fetch()

    def _refuse(self, answer: Answer, url: str) -> None:
        detail = f"the medium is at {url[:100]}, and only URLs on {self._owner.origin} are fetched"
        self._done(answer._replace(error=ErrorKind.NO_MEDIA, detail=detail))

    def _fetch(self) -> None:
        request = Request("GET", self._paths[len(self._media)], "", b"")
        self._exchange = self._owner.transport.send(request, self._fetched)

    def _fetched(self, answer: Answer) -> None:
        self._exchange = None
        self._flags |= answer.flags
        if answer.error or answer.status != 200:
            self._end(answer)
            return
        self._media.append(bytes(answer.body))
        if len(self._media) < len(self._paths):
            self._fetch()
            return
        self._milestones = self._milestones._replace(content_ns=answer.done_ns)
        body = self._owner.backend.with_media(self._answer.body, self._media)
        self._end(self._answer._replace(first_byte_ns=answer.first_byte_ns, done_ns=answer.done_ns, body=body))

    def _end(self, answer: Answer) -> None:
        self._done(answer._replace(sent_ns=self._sent_ns, flags=self._flags, milestones=self._milestones))
