"""The target: a server's resolved address and common request headers, prepared before time zero."""

import base64
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from collector.text.printable import printable
from loadgen import __version__
from loadgen.backends import find_backend
from loadgen.errors import UnreachableError, UsageError
from loadgen.options import MAX_BODY_BYTES, TargetOptions
from loadgen.secrets import Secrets, split_userinfo

CONNECT_PROBE_S: Final = 2.0  # time limit for finding the address that listens, where a name has several


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go. `headers` hold secrets, so they never show in a repr, a report or an argument list."""

    scheme: str
    host: str
    port: int
    prefix: str
    address: str
    headers: dict[str, str] = field(repr=False)
    ca_file: str | None = None
    insecure: bool = False
    proxy: str | None = field(default=None, repr=False)
    proxy_address: str | None = None
    max_body_bytes: int = MAX_BODY_BYTES
    secrets: tuple[str, ...] = field(default=(), repr=False)
    answer_headers: tuple[str, ...] = ()  # headers that an Answer keeps, in lower case

    @property
    def origin(self) -> str:
        """`scheme://host:port`, without credentials."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> "Target":
        """The reverse of `dataclasses.asdict`."""
        return cls(**{**message, "answer_headers": tuple(message["answer_headers"])})


def resolve_all(options: TargetOptions) -> tuple[Target, ...]:
    """Return a target for each base URL, in their order; each knows the secrets of all."""
    alone = (replace(options, base_url=url, further_urls=()) for url in options.base_urls)
    return tuple(replace(resolve(one), secrets=Secrets.of(options).texts) for one in alone)


def resolve(options: TargetOptions) -> Target:
    """Parse the first `--base-url` and resolve its host once, so that no look-up happens during the run."""
    url, port = _split(options.base_url, "--base-url", {"http": 80, "https": 443})
    assert url.hostname is not None
    if url.query or url.fragment:
        raise UsageError("--base-url: takes no query or fragment; give http://HOST:PORT/PREFIX")
    headers = {"User-Agent": f"diffusion-loadgen/{__version__}", "Accept": "*/*"}
    if url.username is not None:
        pair = f"{unquote(url.username)}:{unquote(url.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    if options.api_key:
        headers["Authorization"] = f"Bearer {options.api_key}"
    elif find_backend(options.backend).needs_authorization and not _authorizes(headers | dict(options.headers)):
        headers["Authorization"] = "Bearer EMPTY"
    headers.update(options.headers)
    proxy_address = _proxy_address(options.proxy) if options.proxy else None
    # a proxy resolves the name itself
    address = url.hostname if options.proxy else look_up(url.hostname, port, "--base-url")
    return Target(
        scheme=url.scheme,
        host=url.hostname,
        port=port,
        prefix=url.path.rstrip("/"),
        address=address,
        headers=headers,
        ca_file=options.ca_file,
        insecure=options.insecure,
        proxy=options.proxy,
        proxy_address=proxy_address,
        max_body_bytes=options.max_body_bytes,
        secrets=Secrets.of(options).texts,
        answer_headers=tuple(find_backend(options.backend).headers),
    )


def _authorizes(headers: Mapping[str, str]) -> bool:
    return any(name.lower() == "authorization" for name in headers)


def _proxy_address(proxy: str) -> str:
    url, port = _split(proxy, "--proxy", {"http": 80})
    assert url.hostname is not None
    return look_up(url.hostname, port, "--proxy")


def _split(text: str, flag: str, ports: Mapping[str, int]) -> tuple[SplitResult, int]:
    """Parse a URL with a host and a scheme of `ports`; return it and its port. Raises UsageError."""
    shown = printable(redacted(text))
    if not text.isascii() or not text.isprintable() or " " in text:
        raise UsageError(f"{flag} {shown}: has characters that are not allowed in a URL; write them as %XX")
    try:
        url = urlsplit(text)
        port = url.port or ports[url.scheme]
    except (KeyError, ValueError):
        forms = " or ".join(f"{scheme}://HOST:PORT" for scheme in ports)
        raise UsageError(f"{flag} {shown}: give {forms}") from None
    if not url.hostname:
        raise UsageError(f"{flag}: has no host; give {url.scheme}://HOST:PORT")
    return url, port


def look_up(host: str, port: int, flag: str) -> str:
    """Return the first address of `host` that accepts a connection, IPv4 before IPv6; if none does, the first.

    `flag` is the flag that names the host. Raises UnreachableError if it has no address.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # UnicodeError: an invalid name, such as "a..b"
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise UnreachableError(f"{flag}: cannot look up the host {host} ({reason}); check the name") from None
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    return addresses[0] if len(addresses) == 1 else _listening(addresses, port)


def _listening(addresses: list[str], port: int) -> str:
    deadline = time.monotonic() + CONNECT_PROBE_S
    for address in addresses:
        left_s = deadline - time.monotonic()
        with suppress(OSError):
            if left_s > 0:
                socket.create_connection((address, port), min(left_s, CONNECT_PROBE_S / 2)).close()
                return address
    return addresses[0]


def redacted(base_url: str) -> str:
    """The URL without user name and password, for display."""
    return split_userinfo(base_url)[1]
