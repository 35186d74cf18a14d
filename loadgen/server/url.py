"""The URL of a server: with a prefix or `/v1`, of an endpoint, with a query, or of a Unix socket."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from collector.text.printable import printable
from loadgen.backends import BACKENDS
from loadgen.errors import UsageError
from loadgen.secrets import split_userinfo

PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}
_VERSION: Final = "/v1"
_UNIX: Final = re.compile(r"unix:(?://)?(?=/)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ServerUrl:
    """A parsed `--base-url`. `endpoint` is the path of an endpoint that it named, `query` starts with "?" or is ""."""

    url: SplitResult
    host: str
    port: int
    prefix: str
    endpoint: str | None
    query: str
    unix_socket: str | None = None


def parse_base_url(text: str, unix_socket: str | None = None) -> ServerUrl:
    """Parse `--base-url` (and `--unix-socket`). Raises UsageError."""
    if mark := _UNIX.match(text):
        unix_socket, text = text[mark.end() :], "http://localhost"
    url, port = split_url(text, "--base-url", PORTS)
    if url.fragment:
        raise UsageError("--base-url: takes no fragment; drop what follows the #")
    prefix, endpoint = split_endpoint(url.path)
    query = f"?{url.query}" if url.query else ""
    return ServerUrl(url, str(url.hostname), port, prefix, endpoint, query, unix_socket)


def split_endpoint(path: str) -> tuple[str, str | None]:
    """Split a URL path into the prefix for all endpoints and the endpoint that it names, None if it names none.

    The prefix is without `/v1`, which every endpoint has: that of `/api/v1` is `/api`.
    """
    path = path.rstrip("/")
    for known in _endpoints():
        for tail in (known, known.removeprefix(_VERSION)):
            if path.endswith(tail):
                return path[: -len(tail)], tail
    return path.removesuffix(_VERSION) if path.endswith(_VERSION) else path, None


def _endpoints() -> Sequence[str]:
    """Paths of the built-in backends, the longest first."""
    return sorted({each.path.rstrip("/") for each in BACKENDS.values()}, key=len, reverse=True)


def endpoint_path(text: str) -> str:
    """The path that `--endpoint` gives, with a leading slash. Raises UsageError."""
    path = text if text.startswith("/") else f"/{text}"
    if "://" in text or "#" in text or not path.isascii() or not path.isprintable() or " " in path or path == "/":
        raise UsageError(f"--endpoint {printable(text)}: give a path, such as /v1/images/generations")
    return path


def split_url(text: str, flag: str, ports: Mapping[str, int]) -> tuple[SplitResult, int]:
    """Parse a URL with a host and a scheme of `ports` (scheme to default port); return it and its port.

    `flag` is the flag that gave it. Raises UsageError.
    """
    shown = printable(split_userinfo(text)[1])
    forms = " or ".join(f"{scheme}://HOST:PORT" for scheme in ports)
    if not text.isascii() or not text.isprintable() or " " in text:
        raise UsageError(f"{flag} {shown}: has characters that are not allowed in a URL; write them as %XX")
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise UsageError(f"{flag} {shown}: give {forms}") from None
    if url.scheme not in ports:
        raise UsageError(f"{flag} {shown}: is not a supported scheme; give {forms}")
    if not url.hostname:
        raise UsageError(f"{flag}: has no host; give {forms}")
    return url, port or ports[url.scheme]
