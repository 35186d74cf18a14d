"""Cutting: a JSON body without the middles of its base64 texts, which is all that a parser would spend its time on.

A text that was cut ends in `#START-END`, its place in the body; neither sign is one of base64's.
"""

import re
from typing import Final, NamedTuple

_LEFT: Final = 64  # characters of a text that stay, so that it still looks like one


class Mark(NamedTuple):
    """What stands before a base64 text: `sought` is searched for, then `opening` must follow, up to the text itself."""

    sought: bytes
    opening: re.Pattern[bytes]


DATA_URL: Final = Mark(b";base64,", re.compile(b""))
B64_JSON: Final = Mark(b'"b64_json"', re.compile(rb'\s{0,8}:\s{0,8}"'))


def without_media(body: bytes | bytearray | memoryview, mark: Mark = DATA_URL) -> bytes | bytearray | memoryview:
    """Return the body with each base64 text behind a mark cut short; as it stands where it cannot be searched.

    Base64 needs no escapes in JSON, so the next quotation mark ends a text. Whether what is cut out was base64 is not
    looked at here.
    """
    raw = body.obj if isinstance(body, memoryview) else body
    if not isinstance(raw, bytes | bytearray):
        return body
    pieces: list[bytes | bytearray] = []
    place, sought, end = 0, 0, len(body)
    while (found := raw.find(mark.sought, sought, end)) >= 0:
        sought = found + len(mark.sought)
        if (opened := mark.opening.match(raw, sought, end)) is None:
            continue
        quote = raw.find(b'"', opened.end(), end)
        if quote < 0:
            break
        start = opened.end()
        if quote > start + _LEFT:
            pieces += (raw[place : start + _LEFT], b"#%d-%d" % (start, quote))
            place = quote
        sought = quote
    pieces.append(raw[place:end])
    return b"".join(pieces)
