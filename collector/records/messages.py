"""What senders tell the collector: a message is one byte that says what it is, and the payload.

RECORDS: rows of RECORD, packed. NOTES: a JSON list of [index, note]; a note has what does not fit a fixed-size row:
`stages` (name -> seconds), or `error` with an `example` of it, or `retry_after` as a 429 or 503 had it.
"""

from typing import Any, Final

import orjson

RECORDS: Final = b"R"
NOTES: Final = b"N"

Note = dict[str, Any]


def pack_notes(notes: list[tuple[int, Note]]) -> bytes:
    """Make a NOTES message."""
    return NOTES + orjson.dumps(notes)
