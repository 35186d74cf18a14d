"""The target: a server's resolved address and common request headers, prepared before time zero."""

import base64
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import unquote

from loadgen import __version__
from loadgen.backends import find_backend
from loadgen.errors import UnreachableError
from loadgen.options import AUTO, MAX_BODY_BYTES, TargetOptions
from loadgen.secrets import Secrets, split_userinfo
from loadgen.server.url import PORTS, ServerUrl, parse_base_url, split_url

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
    query: str = field(default="", repr=False)  # with its "?"; of every request
    backend_path: str = ""
    endpoint: str | None = None  # replaces `backend_path`
    unix_socket: str | None = None
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
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

    def path_of(self, path: str) -> str:
        """The path and query of a request for `path`, which is that of the backend or below it."""
        if self.endpoint is not None and self.backend_path and path.startswith(self.backend_path):
            path = self.endpoint + path.removeprefix(self.backend_path)
        mark = "&" if "?" in path else "?"
        return f"{self.prefix}{path}{self.query.replace('?', mark, 1)}"

    @property
    def host_header(self) -> str:
        """The Host header: without the port where it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

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
    server = parse_base_url(options.base_url, options.unix_socket)
    backend = None if options.backend == AUTO else find_backend(options.backend)
    proxy_address = _proxy_address(options.proxy) if options.proxy else None
    elsewhere = options.proxy or server.unix_socket  # a proxy resolves the name itself
    return Target(
        scheme=server.url.scheme,
        host=server.host,
        port=server.port,
        prefix=server.prefix,
        query=server.query,
        backend_path=backend.path if backend else "",
        endpoint=options.endpoint or server.endpoint,
        address=server.host if elsewhere else look_up(server.host, server.port, "--base-url"),
        unix_socket=server.unix_socket,
        headers=_headers(server, options, needs_authorization=backend is not None and backend.needs_authorization),
        ca_file=options.ca_file,
        cert_file=options.cert_file,
        key_file=options.key_file,
        insecure=options.insecure,
        proxy=options.proxy,
        proxy_address=proxy_address,
        max_body_bytes=options.max_body_bytes,
        secrets=Secrets.of(options).texts,
        answer_headers=tuple(backend.headers) if backend else (),
    )


def _headers(server: ServerUrl, options: TargetOptions, *, needs_authorization: bool) -> dict[str, str]:
    """Headers of every request. A header of the user's replaces ours, whatever its capitals."""
    ours = {"User-Agent": f"diffusion-loadgen/{__version__}", "Accept": "*/*"}
    if server.url.username is not None:
        pair = f"{unquote(server.url.username)}:{unquote(server.url.password or '')}"
        ours["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    if options.api_key:
        ours["Authorization"] = f"Bearer {options.api_key}"
    elif needs_authorization:
        ours.setdefault("Authorization", "Bearer EMPTY")
    merged = {name.lower(): (name, value) for name, value in (*ours.items(), *options.headers.items())}
    return dict(merged.values())


def _proxy_address(proxy: str) -> str:
    url, port = split_url(proxy, "--proxy", {"http": PORTS["http"]})
    return look_up(str(url.hostname), port, "--proxy")


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
