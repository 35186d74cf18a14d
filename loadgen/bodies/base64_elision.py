"""Shortens the base64 texts of a JSON body before it is parsed, since parsing them takes most of the time.

A shortened text ends in `#START-END`, its offsets in the body; neither `#` nor `-` occurs in base64.
"""

import re
from typing import Final, NamedTuple

_KEPT_CHARS: Final = 64  # of each text, enough to recognize its format


class Marker(NamedTuple):
    """What precedes a base64 text: the bytes `prefix`, then a match of `opening`."""

    prefix: bytes
    opening: re.Pattern[bytes]


DATA_URL: Final = Marker(b";base64,", re.compile(b""))
B64_JSON: Final = Marker(b'"b64_json"', re.compile(rb'\s{0,8}:\s{0,8}"'))


def elide_base64(body: bytes | bytearray | memoryview, marker: Marker = DATA_URL) -> bytes | bytearray | memoryview:
    """Return the body with each base64 text behind a marker shortened; unchanged if it cannot be searched.

    Base64 needs no escapes in JSON, so the next quotation mark ends a text. The removed text is not validated.
    """
    raw = body.obj if isinstance(body, memoryview) else body
    if not isinstance(raw, bytes | bytearray):
        return body
    pieces: list[bytes | bytearray] = []
    copied, position, end = 0, 0, len(body)
    while (found := raw.find(marker.prefix, position, end)) >= 0:
        position = found + len(marker.prefix)
        if (opened := marker.opening.match(raw, position, end)) is None:
            continue
        quote = raw.find(b'"', opened.end(), end)
        if quote < 0:
            break
        start = opened.end()
        if quote > start + _KEPT_CHARS:
            pieces += (raw[copied : start + _KEPT_CHARS], b"#%d-%d" % (start, quote))
            copied = quote
        position = quote
    pieces.append(raw[copied:end])
    return b"".join(pieces)
