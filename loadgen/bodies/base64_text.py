"""Base64 texts of a JSON body: a medium that is decoded only where somebody looks at it."""

import binascii
from typing import Final

Body = bytes | bytearray | memoryview
_ESCAPES: Final = ((b"\\n", b""), (b"\\r", b""), (b"\\/", b"/"))  # what JSON may put into base64
_LINE: Final = 80  # characters, in which the first end of a line would be (RFC 2045, 6.8)


class Base64Text:
    """The bytes of a base64 text, in slices; a slice raises ValueError (binascii.Error) where it is no base64.

    `text` is what a parser gave: all of it, or its beginning and the place in `body` that cutting.py put behind it.
    """

    __slots__ = ("_clean_until", "_end", "_raw", "_start")

    def __init__(self, text: str, body: Body) -> None:
        self._raw: str | bytes | bytearray = text if "\n" not in text[:_LINE] else "".join(text.split())
        self._start, self._end = 0, len(self._raw)
        self._clean_until = self._end
        _, cut, place = text[-_LINE:].partition("#")
        start, _, end = place.partition("-")
        whole = body.obj if isinstance(body, memoryview) else body
        if cut and start.isdecimal() and end.isdecimal() and isinstance(whole, bytes | bytearray):
            self._raw, self._start, self._end = whole, int(start), min(int(end), len(body))
            self._clean_until = self._start

    def __len__(self) -> int:
        if self._clean_until < self._end:
            self._unescape(self._end)
        return self._most()

    def _most(self) -> int:
        """Bytes that there are if nothing is escaped, which is a search to know."""
        tail = self._raw[max(self._end - 2, self._start) : self._end]
        padding = tail.count("=") if isinstance(tail, str) else tail.count(b"=")
        return max(self._end - self._start, 0) // 4 * 3 - padding

    def __getitem__(self, part: slice) -> bytes:
        first, until, _ = part.indices(self._most())
        if first >= until:
            return b""
        stop = min(self._start + -(-until // 3) * 4, self._end)
        if stop > self._clean_until and self._unescape(stop):
            return self[part]
        begin = self._start + first // 3 * 4
        return binascii.a2b_base64(self._raw[begin:stop], strict_mode=True)[first % 3 : first % 3 + until - first]

    def _unescape(self, stop: int) -> bool:
        """Whether there were escapes before `stop`, so that all behind them was shifted; there are none from now on."""
        assert not isinstance(self._raw, str), "parsed, so there is none"
        if self._raw.find(b"\\", self._clean_until, stop) < 0:
            self._clean_until = stop
            return False
        text = bytes(self._raw[self._start : self._end])
        for escape, meant in _ESCAPES:
            text = text.replace(escape, meant)
        self._raw, self._start, self._end, self._clean_until = text, 0, len(text), len(text)
        return True
