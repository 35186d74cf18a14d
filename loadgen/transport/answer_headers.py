"""Remarks: what the head of an answer has to tell besides its status, looked for only where there may be something."""

import re
from typing import Final

HEAD_LIMIT: Final = 1 << 16  # bytes of headers, or of trailers; servers send some hundred
OBJECT: Final = b"{"  # what a JSON object begins with, and nothing that is compressed does


def may_tell(status: int, start: bytes) -> bool:
    """Whether the head of an answer whose body begins with the byte `start` is to be looked at: of most it is not."""
    return status != 200 or start != OBJECT


def remark(head: bytes, name: str) -> str:
    """The value of the header `name` in a raw head, or nothing."""
    found = re.search(rb"\r\n%s:[ \t]*([^\r\n]*)" % re.escape(name.encode()), head, re.IGNORECASE)
    return found[1].decode("latin-1").strip() if found else ""


def is_coded(head: bytes) -> bool:
    """Whether the body is compressed, or coded in whatever other way."""
    codings = f"{remark(head, 'Content-Encoding')},{remark(head, 'Transfer-Encoding')}".lower().split(",")
    return not {coding.strip() for coding in codings} <= {"", "identity", "chunked"}
