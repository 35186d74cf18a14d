"""Maps exceptions of aiohttp to error kinds."""

from typing import Final, NamedTuple

import aiohttp
from aiohttp.http_exceptions import PayloadEncodingError

from collector.records.record import ErrorKind
from loadgen.transport.error_kinds import OWN_FAULTS, connect_kind, cut_kind


class TooLargeError(aiohttp.ClientError):
    """A body beyond --max-body-bytes."""


class BrokenBodyError(aiohttp.ClientError):
    """A body that violates HTTP."""


_CUT: Final = (
    aiohttp.ServerDisconnectedError,
    aiohttp.ClientOSError,
    aiohttp.ClientPayloadError,
    aiohttp.ClientConnectionResetError,
)
_BROKEN: Final = (aiohttp.ClientResponseError, aiohttp.http.HttpProcessingError, BrokenBodyError)
_KINDS: Final = (
    (aiohttp.ClientConnectorDNSError, ErrorKind.DNS),
    (aiohttp.ClientSSLError, ErrorKind.TLS),
    (TooLargeError, ErrorKind.BODY_TOO_LARGE),
)


class Progress(NamedTuple):
    """How far an exchange was: whether a byte arrived, whether it began like HTTP, whether the head was whole."""

    tls: bool
    begun: bool
    looks_like_http: bool
    headed: bool
    connection_error: BaseException | None  # the exception that ended the connection


def failure(error: Exception, progress: Progress) -> tuple[ErrorKind, str]:
    """Return the error kind and the detail of an exception."""
    kind = next((kind for known, kind in _KINDS if isinstance(error, known)), ErrorKind.CLIENT)
    broken = error.__cause__ if isinstance(error, aiohttp.ClientPayloadError) else error
    if isinstance(error, OSError) and error.errno in OWN_FAULTS:
        kind = OWN_FAULTS[error.errno]
    elif isinstance(broken, _BROKEN) and not isinstance(broken, PayloadEncodingError):
        kind = _broken_kind(getattr(broken, "message", f"{broken}"), progress)
    elif kind is ErrorKind.CLIENT and isinstance(error, aiohttp.ClientConnectorError):
        kind = connect_kind(error.os_error, tls=progress.tls)
    elif kind is ErrorKind.CLIENT and isinstance(error, _CUT):
        return cut_kind(progress.connection_error or _system_error(error), begun=progress.begun, headed=progress.headed)
    return kind, f"{type(error).__name__}: {error}"


def _system_error(error: Exception) -> Exception | None:
    return error if isinstance(error, OSError) else None


def _broken_kind(message: str, progress: Progress) -> ErrorKind:
    """The kind of a parser error, by its first line: the parser has one exception class for nearly everything."""
    line = message.strip().partition("\n")[0].lower()
    if line.startswith(("got more than", "too many headers")):
        return ErrorKind.HEAD_TOO_LARGE
    if line.startswith("bad status line") and progress.looks_like_http:
        return ErrorKind.BODY_OVERRUN  # bytes taken for a next answer; aiohttp drops the first answer then
    return ErrorKind.BAD_CHUNK if "chunk" in line else ErrorKind.PROTOCOL
