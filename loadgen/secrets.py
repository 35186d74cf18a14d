"""Secrets: what was given to be let in somewhere, and texts in which none of it shows.

A server may say back whatever it was told, so every text from one goes through `hide` before it is kept or shown.
"""

import base64
import html
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Final
from urllib.parse import parse_qsl, quote, unquote

from loadgen.errors import LoadgenError
from loadgen.options import TargetOptions

HIDDEN: Final = "***"
_TELLTALE: Final = 6  # characters of its start by which a secret that was cut short is known too
_SENSITIVE: Final = re.compile("auth|key|token|secret|pass|cookie|credential|session|signature", re.IGNORECASE)
_HARMLESS: Final = frozenset({"accept", "accept-encoding", "accept-language", "content-type", "user-agent"})
_USERINFO: Final = re.compile(r"(?<=://)[^/?#\s]*@")  # in a text: of any URL, whoever wrote it
_AUTHORITY: Final = re.compile(r"[^/?#]*")
_HOST_AND_PORT: Final = re.compile(r"(\[[^]]*]|[^:]*)(:\d*)?")


@dataclass(frozen=True, slots=True)
class Secrets:
    """`texts` are all that must not be shown, in every form in which it may come back, the longest first."""

    texts: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, options: TargetOptions) -> "Secrets":
        """Collect the API key, the values of headers, and the user names and passwords of URLs."""
        forms = {form for secret in _given(options) for form in _forms(secret)}
        return cls(tuple(sorted(forms - {""}, key=lambda form: (-len(form), form))))

    def hide(self, text: str) -> str:
        """Return the text without any of them, whole or cut short, and without credentials of URLs."""
        for start in dict.fromkeys(secret[:_TELLTALE] for secret in self.texts):
            text = self._without(text, start)
        return _USERINFO.sub("", text)

    def _without(self, text: str, start: str) -> str:
        """Hide what begins with `start`, as far as it goes on like a secret: forms of one begin alike."""
        pieces, place = [], 0
        while (found := text.find(start, place)) >= 0:
            pieces += [text[place:found], HIDDEN]
            alike = (_shared(secret, text[found:]) for secret in self.texts if secret.startswith(start))
            place = found + max(alike)
        return "".join([*pieces, text[place:]])

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Hide them in the message of a fault of ours that comes through here."""
        try:
            yield
        except LoadgenError as fault:
            fault.args = (self.hide(str(fault)),)
            raise


def split_userinfo(url: str) -> tuple[str, str]:
    """Return `user:password` ("" where there is none) and the URL without it; malformed ones are split too."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        scheme, rest = "", url
    found = _AUTHORITY.match(rest)
    authority = found[0] if found else ""
    # "http://user:pass/word@host": what stands for a port is none, so a password that was not encoded goes on
    end = authority.rfind("@") if "@" in authority or _HOST_AND_PORT.fullmatch(authority) else rest.rfind("@")
    return ("", url) if end < 0 else (rest[:end], scheme + mark + rest[end + 1 :])


def _given(options: TargetOptions) -> Iterator[str]:
    yield options.api_key or ""
    for name, value in options.headers.items():
        if _SENSITIVE.search(name) or (len(value) >= _TELLTALE and name.lower() not in _HARMLESS):
            yield value
            yield value.partition(" ")[2]  # "Bearer KEY" may come back without its first word
    for page in options.server_metrics:
        yield from (value for _, value in parse_qsl(page.partition("?")[2]) if len(value) >= _TELLTALE)
    for url in (*options.base_urls, options.proxy or "", *options.server_metrics):
        userinfo, _ = split_userinfo(url)
        user, _, password = userinfo.partition(":")
        yield from (password, unquote(password))
        if len(user) >= _TELLTALE or not password:
            yield from (user, unquote(user))
        if userinfo:
            yield base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()


def _forms(secret: str) -> Iterator[str]:
    """A secret as JSON, HTML, a URL, Python or a shortened line may write it."""
    quoted = json.dumps(secret)[1:-1]
    yield from (secret, " ".join(secret.split()), quoted, quoted.replace("/", "\\/"), repr(secret)[1:-1])
    yield from (html.escape(secret), quote(secret, safe=""), quote(secret))


def _shared(one: str, other: str) -> int:
    """Return how many characters two texts begin with together."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
