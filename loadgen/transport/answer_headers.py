"""Headers in the raw head of an answer, which is kept only for answers where they may matter."""

import re
from typing import Final

HEAD_LIMIT: Final = 1 << 16  # bytes of headers or trailers; servers send a few hundred
OBJECT: Final = b"{"  # first byte of a JSON object, and of no compressed body


def needs_head(status: int, start: bytes) -> bool:
    """Whether the head of an answer whose body starts with `start` is needed: only if not 200 or not a JSON object."""
    return status != 200 or start != OBJECT


def header(head: bytes, name: str) -> str:
    """The value of the header `name` in a raw head, "" if absent."""
    found = re.search(rb"\r\n%s:[ \t]*([^\r\n]*)" % re.escape(name.encode()), head, re.IGNORECASE)
    return found[1].decode("latin-1").strip() if found else ""


def is_encoded(head: bytes) -> bool:
    """Whether the body is compressed or has another encoding."""
    codings = f"{header(head, 'Content-Encoding')},{header(head, 'Transfer-Encoding')}".lower().split(",")
    return not {coding.strip() for coding in codings} <= {"", "identity", "chunked"}
