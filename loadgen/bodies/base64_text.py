"""A base64 text of a JSON body that is decoded on access, slice by slice."""

import binascii
from typing import Final

Body = bytes | bytearray | memoryview
_ESCAPES: Final = ((b"\\n", b""), (b"\\r", b""), (b"\\/", b"/"))  # JSON escapes that may occur in base64
_SCHEME: Final = "data:"
_SCHEME_CHARS: Final = len(_SCHEME)
_HEAD_CHARS: Final = 200  # of a data URL: its media type and parameters end before this
_LINE: Final = 80  # the first line break comes within this many characters (RFC 2045, 6.8)


def decode(text: str) -> bytes:
    """Decode a whole base64 text, or a data URL."""
    return binascii.a2b_base64(text.partition(",")[2] if text[:_SCHEME_CHARS].lower() == _SCHEME else text)


class Base64Text:
    """The bytes of a base64 text, in slices; a slice raises ValueError (binascii.Error) if it is not base64.

    `text` is the parsed JSON string: the whole text, or its start and its offsets in `body` (`base64_elision.py`). It
    may be a data URL, whose head is skipped.
    """

    __slots__ = ("_clean_until", "_end", "_raw", "_start")

    def __init__(self, text: str, body: Body) -> None:
        self._raw: str | bytes | bytearray = text if "\n" not in text[:_LINE] else "".join(text.split())
        self._start, self._end = 0, len(self._raw)
        self._clean_until = self._end
        _, elided, offsets = text[-_LINE:].partition("#")
        start, _, end = offsets.partition("-")
        whole = body.obj if isinstance(body, memoryview) else body
        if elided and start.isdecimal() and end.isdecimal() and isinstance(whole, bytes | bytearray):
            self._raw, self._start, self._end = whole, int(start), min(int(end), len(body))
            self._clean_until = self._start
        if text[:_SCHEME_CHARS].lower() == _SCHEME:
            self._skip_head()

    def _skip_head(self) -> None:
        comma = self._find(",", self._start + _HEAD_CHARS)
        self._start = comma + 1 if comma >= 0 else self._end
        self._clean_until = self._end if isinstance(self._raw, str) else self._start

    def _find(self, character: str, end: int) -> int:
        if isinstance(self._raw, str):
            return self._raw.find(character, self._start, end)
        return self._raw.find(character.encode(), self._start, end)

    def __len__(self) -> int:
        if self._clean_until < self._end:
            self._unescape(self._end)
        return self._max_length()

    def _max_length(self) -> int:
        """Length in bytes if nothing is escaped; finding out would take a search."""
        tail = self._raw[max(self._end - 2, self._start) : self._end]
        padding = tail.count("=") if isinstance(tail, str) else tail.count(b"=")
        return max(self._end - self._start, 0) // 4 * 3 - padding

    def __getitem__(self, part: slice) -> bytes:
        first, until, _ = part.indices(self._max_length())
        if first >= until:
            return b""
        stop = min(self._start + -(-until // 3) * 4, self._end)
        if stop > self._clean_until and self._unescape(stop):
            return self[part]
        begin = self._start + first // 3 * 4
        return binascii.a2b_base64(self._raw[begin:stop], strict_mode=True)[first % 3 : first % 3 + until - first]

    def _unescape(self, stop: int) -> bool:
        """Remove escapes if there are any before `stop`; return whether there were, as offsets have then changed."""
        assert not isinstance(self._raw, str), "a parsed string has no escapes"
        if self._raw.find(b"\\", self._clean_until, stop) < 0:
            self._clean_until = stop
            return False
        text = bytes(self._raw[self._start : self._end])
        for escape, replacement in _ESCAPES:
            text = text.replace(escape, replacement)
        self._raw, self._start, self._end, self._clean_until = text, 0, len(text), len(text)
        return True
