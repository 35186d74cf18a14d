"""The target: the server as senders need it, its name looked up and its common headers decided before time zero."""

import base64
import socket
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from loadgen import __version__
from loadgen.errors import UnreachableError, UsageError
from loadgen.options import TargetOptions


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go. `headers` hold secrets, so they never show in a repr, a report or an argument list."""

    scheme: str
    host: str
    port: int
    prefix: str
    address: str
    headers: dict[str, str] = field(repr=False)

    @property
    def origin(self) -> str:
        """`scheme://host:port`, without credentials."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> "Target":
        """Read back what `dataclasses.asdict` made."""
        return cls(**message)


def resolve(options: TargetOptions) -> Target:
    """Take `--base-url` apart and look its host up, once, so that no look-up falls into the run."""
    url = urlsplit(options.base_url)
    try:
        port = url.port or {"http": 80, "https": 443}[url.scheme]
    except (KeyError, ValueError):
        raise UsageError(
            f"--base-url {redacted(options.base_url)}: give http://HOST:PORT or https://HOST:PORT"
        ) from None
    if not url.hostname:
        raise UsageError(f"--base-url {redacted(options.base_url)}: has no host; give http://HOST:PORT")
    headers = {"User-Agent": f"diffusion-loadgen/{__version__}", "Accept": "*/*"}
    if url.username is not None:
        pair = f"{unquote(url.username)}:{unquote(url.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    if options.api_key:
        headers["Authorization"] = f"Bearer {options.api_key}"
    headers.update(options.headers)
    return Target(url.scheme, url.hostname, port, url.path.rstrip("/"), look_up(url.hostname, port), headers)


def look_up(host: str, port: int) -> str:
    """Return the first address of `host` that a connection could use, IPv4 before IPv6."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UnreachableError(
            f"--base-url: cannot look up the host {host} ({error.strerror or error}); check the name"
        ) from None
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    return str(found[0][4][0])


def redacted(base_url: str) -> str:
    """The URL as it may be shown: without user name and password."""
    scheme, mark, rest = base_url.partition("://")
    authority, slash, path = rest.partition("/")
    return scheme + mark + authority.rpartition("@")[2] + slash + path
