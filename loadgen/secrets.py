"""Secrets (API key, header values, credentials in URLs), and how they are hidden in text.

A server may echo them, so all text from a server goes through `hide` before it is saved or shown.
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
_PREFIX: Final = 6  # first characters that identify a truncated secret
_SENSITIVE: Final = re.compile("auth|key|token|secret|pass|cookie|credential|session|signature", re.IGNORECASE)
_HARMLESS: Final = frozenset({"accept", "accept-encoding", "accept-language", "content-type", "user-agent"})
_USERINFO: Final = re.compile(r"(?<=://)[^/?#\s]*@")  # of any URL in a text
_AUTHORITY: Final = re.compile(r"[^/?#]*")
_HOST_AND_PORT: Final = re.compile(r"(\[[^]]*]|[^:]*)(:\d*)?")


@dataclass(frozen=True, slots=True)
class Secrets:
    """`texts` are the secrets in every form in which they may be echoed, the longest first."""

    texts: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, options: TargetOptions) -> "Secrets":
        """Collect the API key, the values of headers, and the user names and passwords of URLs."""
        forms = {form for secret in _secrets_of(options) for form in _forms(secret)}
        return cls(tuple(sorted(forms - {""}, key=lambda form: (-len(form), form))))

    def hide(self, text: str) -> str:
        """Return the text with all secrets hidden, whole or truncated, and without credentials in URLs."""
        for prefix in dict.fromkeys(secret[:_PREFIX] for secret in self.texts):
            text = self._without(text, prefix)
        return _USERINFO.sub("", text)

    def _without(self, text: str, prefix: str) -> str:
        """Hide each text that starts with `prefix`, up to where it differs from all secrets with that prefix."""
        pieces, end = [], 0
        while (start := text.find(prefix, end)) >= 0:
            pieces += [text[end:start], HIDDEN]
            lengths = (_common_prefix(secret, text[start:]) for secret in self.texts if secret.startswith(prefix))
            end = start + max(lengths)
        return "".join([*pieces, text[end:]])

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Hide the secrets in the message of a LoadgenError that is raised inside."""
        try:
            yield
        except LoadgenError as error:
            error.args = (self.hide(str(error)),)
            raise


def split_userinfo(url: str) -> tuple[str, str]:
    """Return `user:password` ("" if there is none) and the URL without it; malformed URLs are split too."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", url
    match = _AUTHORITY.match(rest)
    authority = match[0] if match else ""
    # "http://user:pass/word@host": "pass" is no port, so it is a password with an unencoded "/"
    end = authority.rfind("@") if "@" in authority or _HOST_AND_PORT.fullmatch(authority) else rest.rfind("@")
    return ("", url) if end < 0 else (rest[:end], scheme + separator + rest[end + 1 :])


def _secrets_of(options: TargetOptions) -> Iterator[str]:
    yield options.api_key or ""
    for name, value in options.headers.items():
        if _SENSITIVE.search(name) or (len(value) >= _PREFIX and name.lower() not in _HARMLESS):
            yield value
            yield value.partition(" ")[2]  # "Bearer KEY" may be echoed without "Bearer"
    for metrics_url in options.server_metrics:
        yield from (value for _, value in parse_qsl(metrics_url.partition("?")[2]) if len(value) >= _PREFIX)
    for url in (*options.base_urls, options.proxy or "", *options.server_metrics):
        userinfo, _ = split_userinfo(url)
        user, _, password = userinfo.partition(":")
        yield from (password, unquote(password))
        if len(user) >= _PREFIX or not password:
            yield from (user, unquote(user))
        if userinfo:
            yield base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()


def _forms(secret: str) -> Iterator[str]:
    """The forms of a secret in JSON, HTML, a URL, a Python literal or a line with collapsed spaces."""
    quoted = json.dumps(secret)[1:-1]
    yield from (secret, " ".join(secret.split()), quoted, quoted.replace("/", "\\/"), repr(secret)[1:-1])
    yield from (html.escape(secret), quote(secret, safe=""), quote(secret))


def _common_prefix(one: str, other: str) -> int:
    """Return the length of the common prefix of two texts."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
