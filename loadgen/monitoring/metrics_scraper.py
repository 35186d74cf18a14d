"""The scraper process: reads the pages of `--server-metrics` once a second and logs the values that changed.

    python -m loadgen.monitoring.metrics_scraper CHANNEL

It is a separate process at the lowest priority, so that parsing delays no timestamp; if it dies the run goes on.
The log format is in collector/saved/metrics_log.py.
"""

import asyncio
import errno
import os
import socket
import ssl
import sys
import time
from contextlib import suppress
from typing import Any, Final

import aiohttp

from collector.records.control_channel import Channel, Closed, readable
from collector.records.resource_usage import ResourceUsage
from collector.saved.metrics_log import MetricsLog
from collector.text.printable import printable
from loadgen import __version__
from loadgen.clock import now_ns
from loadgen.monitoring.exposition_format import PageError, Samples, read
from loadgen.monitoring.metrics_urls import shown
from loadgen.options import TargetOptions
from loadgen.secrets import Secrets
from loadgen.server.tls import client_context
from loadgen.system.cpu_affinity import apply_placement

PERIOD_S: Final = 1.0
SCRAPE_S: Final = 2.0  # time limit of one scrape
MOST_BYTES: Final = 4 << 20  # of one page
MOST_SERIES: Final = 2000  # of one page, over the whole run
LONGEST_NAME: Final = 1000  # characters of a series name, labels included; longer ones are not kept
SHARE: Final = 0.1  # of a core, for parsing; a large page is scraped less often
_REDIRECTS: Final = 3  # /metrics often redirects to /metrics/
_HEADERS: Final = {
    "User-Agent": f"diffusion-loadgen/{__version__}",
    "Accept": "text/plain;version=0.0.4",
    "Accept-Encoding": "identity",  # what is received is what is parsed
}


class Page:
    """One page. `problem` is the error of the last scrape, "" if there was none."""

    def __init__(self, number: int, url: str, log: MetricsLog, connection: dict[str, Any]) -> None:
        self._number, self._url, self._log, self._connection = number, url, log, connection
        self._known: dict[str, tuple[int, float | None]] = {}  # series and last value by name
        self.problem = ""
        self._hide = Secrets.of(TargetOptions(server_metrics=(url,))).hide
        log.begin(number, shown(url))

    async def follow(self, session: aiohttp.ClientSession, stop: asyncio.Event) -> None:
        """Scrape once a second until `stop`, then once more, except where the last scrape failed."""
        pause_s, last = PERIOD_S, False
        while not (last or (stop.is_set() and self.problem)):
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause_s)
            last, began, cpu = stop.is_set(), time.monotonic(), time.process_time()
            await self.scrape(session)
            pause_s = max(PERIOD_S - (time.monotonic() - began), (time.process_time() - cpu) / SHARE)

    async def scrape(self, session: aiohttp.ClientSession) -> None:
        """Scrape once; log the changed values, or the error."""
        at_ns = now_ns()
        try:
            at_ns, samples = await self._fetch(session)
        except Exception as error:  # broken servers make the client raise all sorts of errors
            self.problem = self._hide(_describe(error))
            self._log.failed(self._number, at_ns, self.problem)
        else:
            self.problem = ""
            self._log.scraped(self._number, at_ns, self._changes(samples))

    async def _fetch(self, session: aiohttp.ClientSession) -> tuple[int, Samples]:
        """Return the time of the answer's head (CLOCK_MONOTONIC ns) and the samples."""
        async with session.get(self._url, max_redirects=_REDIRECTS, **self._connection) as answer:
            at_ns = now_ns()
            if answer.status != 200:
                raise PageError(f"answers HTTP {answer.status}")
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise PageError("is compressed although the request did not ask for it")
            content = bytearray()
            async for piece in answer.content.iter_any():
                content += piece
                if len(content) > MOST_BYTES:
                    raise PageError(f"is larger than {MOST_BYTES >> 20} MiB")
            found = read(bytes(content), answer.content_type)
            return at_ns, {self._hide(name): sample for name, sample in found.items()}

    def _changes(self, samples: Samples) -> dict[int, float | None]:
        """New values by series number; None for a series that disappeared."""
        changes: dict[int, float | None] = {}
        for name, (kind, value) in samples.items():
            if name not in self._known:
                if len(self._known) >= MOST_SERIES or len(name) > LONGEST_NAME:
                    self._log.truncated(self._number)
                    continue
                self._known[name] = (self._log.series(self._number, name, kind), None)
            series, before = self._known[name]
            if value != before:
                changes[series] = value
                self._known[name] = (series, value)
        for name in [name for name, (_, value) in self._known.items() if value is not None and name not in samples]:
            series, _ = self._known[name]
            changes[series] = None
            self._known[name] = (series, None)
        return changes


def _describe(error: Exception) -> str:
    """Describe an error without any URL, since one could hold a secret."""
    match error:
        case PageError():
            return str(error)
        case TimeoutError():
            return f"was not received within {SCRAPE_S:g} s"
        case aiohttp.TooManyRedirects():
            return f"redirects more than {_REDIRECTS} times"
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return "redirects to an invalid URL"
        case aiohttp.ClientConnectorCertificateError():
            return f"cannot be trusted ({_reason(error.certificate_error)}); see --ca-file"
        case aiohttp.ClientConnectorError():
            return f"cannot be reached ({_reason(error.os_error)})"
        case OSError():
            return f"broke off ({_reason(error)})"
    return f"broke off ({printable(type(error).__name__)})"


def _reason(error: Exception) -> str:
    """The system's error text; that of OpenSSL for a certificate, of the resolver for a look-up."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if not isinstance(error, OSError):
        return type(error).__name__
    known = error.errno in errno.errorcode and not isinstance(error, socket.gaierror)
    return os.strerror(error.errno or 0) if known else printable(error.strerror or type(error).__name__)


class Scraper:
    """Scrapes all pages, each at its own interval."""

    def __init__(self, setup: dict[str, Any], channel: Channel) -> None:
        self._channel, self._stop, self._exit = channel, asyncio.Event(), asyncio.Event()
        self._log = MetricsLog(setup["metrics"])
        self._placement = apply_placement(setup)
        context = client_context(setup["ca_file"], insecure=setup["insecure"])
        connection = {"proxy": setup["proxy"], "ssl": context}
        self._pages = [Page(number, url, self._log, connection) for number, url in enumerate(setup["pages"])]

    async def run(self) -> None:
        """Scrape until `stop`, then report the resource usage; return at `exit`."""
        asyncio.get_running_loop().add_reader(self._channel.fileno(), self._receive)
        timeout = aiohttp.ClientTimeout(total=SCRAPE_S)
        jar = aiohttp.DummyCookieJar()
        usage = ResourceUsage()
        async with aiohttp.ClientSession(
            timeout=timeout, headers=_HEADERS, cookie_jar=jar, auto_decompress=False
        ) as session:
            await asyncio.gather(*(page.scrape(session) for page in self._pages))
            self._channel.send("ready", problems=[page.problem for page in self._pages])
            scraping: asyncio.Future[Any] = asyncio.gather(*(page.follow(session, self._stop) for page in self._pages))
            exited: asyncio.Future[Any] = asyncio.create_task(self._exit.wait())
            await asyncio.wait([scraping, exited], return_when=asyncio.FIRST_COMPLETED)
            if scraping.done():
                scraping.result()  # an unexpected error ends this process, and the parent reports it
        if self._stop.is_set():
            self._log.end(now_ns())
            self._channel.send("idle", **usage.figures(), **self._placement)
        await self._exit.wait()

    def _receive(self) -> None:
        try:
            kinds = {message["kind"] for message in self._channel.receive()}
        except Closed:
            kinds = {"exit"}
        if "stop" in kinds:
            self._stop.set()
        if "exit" in kinds:
            asyncio.get_running_loop().remove_reader(self._channel.fileno())
            self._exit.set()


async def _run(channel: Channel) -> None:
    (setup,) = channel.receive()
    await Scraper(setup, channel).run()


def main(descriptor: int) -> None:
    """Run until the parent sends `exit` or closes the channel."""
    os.nice(19)
    channel = Channel.inherited(descriptor)
    readable([channel.fileno()])
    asyncio.run(_run(channel))


if __name__ == "__main__":
    main(int(sys.argv[1]))
