"""The URLs of `--server-metrics`: resolved, checked, and without secrets for display."""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import urljoin, urlsplit

from loadgen.errors import UsageError
from loadgen.server.target import redacted

_SLASHED: Final = re.compile(r"(?<=://)[^/@]*:(?!\d*/).*@")  # a password with a slash in it, so not a valid URL


def page_urls(given: Sequence[str], base_url: str) -> list[str]:
    """Return the URL of each page; a path is relative to `base_url`. Raises UsageError."""
    return [_checked(urljoin(base_url, one) if one.startswith("/") else one) for one in given]


def shown(url: str) -> str:
    """The URL for display: without user name and password, and without its query, which may hold a key."""
    bare, mark, _ = url.partition("#")[0].partition("?")
    return redacted(_SLASHED.sub("", bare)) + ("?..." if mark else "")


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # an invalid port
        usable = False
    if not usable or any(character.isspace() or not character.isprintable() for character in url):
        raise UsageError(
            f"--server-metrics {shown(url)!r}: give http://HOST:PORT/metrics, or a path such as /metrics on --base-url"
        )
    return url
