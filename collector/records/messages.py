"""The messages from senders to the collector: one byte for the kind, then the payload.

RECORDS: packed RECORD rows. NOTES: a JSON list of [index, note]; a note holds what does not fit into a fixed-size row:
`stages` (name -> seconds), or `error` with an `example`, or the `retry_after` header of a 429 or 503.
"""

from typing import Any, Final

import orjson

RECORDS: Final = b"R"
NOTES: Final = b"N"

Note = dict[str, Any]


def pack_notes(notes: list[tuple[int, Note]]) -> bytes:
    """Encode a NOTES message."""
    return NOTES + orjson.dumps(notes)
