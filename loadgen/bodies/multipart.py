"""Encodes multipart forms (RFC 7578), all with the same boundary, so that a plan needs one content type.

A value that contains the boundary is an error.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from loadgen.bodies.fields import dumps, label
from loadgen.datasets.sample import Sample
from loadgen.errors import UsageError

_BOUNDARY: Final = "loadgen-8d1f0c6be5a24b7fa3e9"
CONTENT_TYPE: Final = f"multipart/form-data; boundary={_BOUNDARY}"
_DELIMITER: Final = f"--{_BOUNDARY}".encode()
_ESCAPES: Final = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})  # as browsers do (HTML standard, 4.10.21.8)


class InputFile(Protocol):
    """A file to upload: its name, its bytes, and its MIME type."""

    @property
    def name(self) -> str: ...
    @property
    def data(self) -> bytes: ...
    @property
    def mime(self) -> str: ...


def form(fields: Mapping[str, object], files: Iterable[tuple[str, InputFile]], sample: Sample) -> bytes:
    """Return the body: strings as they are, other values as JSON, then the files by field name.

    Raises UsageError that names the sample for a value that cannot be encoded.
    """
    parts = [(f'name="{_escaped(key)}"', _text(value, sample)) for key, value in fields.items()]
    for key, file in files:
        naming = f'name="{_escaped(key)}"; filename="{_escaped(file.name)}"\r\nContent-Type: {file.mime}'
        parts.append((naming, file.data))
    pieces: list[bytes] = []
    for naming, content in parts:
        head = naming.encode(errors="surrogateescape")  # file names may be any bytes
        if _DELIMITER in head or _DELIMITER in content:
            raise UsageError(f"{label(sample)}: contains {_BOUNDARY}, the boundary of the form; change that value")
        pieces += [_DELIMITER, b"\r\nContent-Disposition: form-data; ", head, b"\r\n\r\n", content, b"\r\n"]
    return b"".join([*pieces, _DELIMITER, b"--\r\n"])


def _text(value: object, sample: Sample) -> bytes:
    as_json = dumps(value, sample)  # for strings too: it rejects lone surrogates
    return value.encode() if isinstance(value, str) else as_json


def _escaped(name: str) -> str:
    return name.translate(_ESCAPES)
