"""Which kind of failure an exception of aiohttp's is."""

from typing import Final, NamedTuple

import aiohttp
from aiohttp.http_exceptions import PayloadEncodingError

from collector.records.record import ErrorKind
from loadgen.transport.error_kinds import OWN_FAULTS, connect_kind, cut_kind


class TooLargeError(aiohttp.ClientError):
    """A body beyond --max-body-bytes."""


class BrokenBodyError(aiohttp.ClientError):
    """A body that breaks the rules of HTTP."""


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


class Came(NamedTuple):
    """How far an exchange was: whether a byte had come, whether that looked like HTTP, whether the head was whole."""

    tls: bool
    begun: bool
    began_well: bool
    headed: bool
    lost_by: BaseException | None  # what ended the connection


def failure(error: Exception, came: Came) -> tuple[ErrorKind, str]:
    """Kind and detail of an exception."""
    kind = next((kind for known, kind in _KINDS if isinstance(error, known)), ErrorKind.CLIENT)
    broken = error.__cause__ if isinstance(error, aiohttp.ClientPayloadError) else error
    if isinstance(error, OSError) and error.errno in OWN_FAULTS:
        kind = OWN_FAULTS[error.errno]
    elif isinstance(broken, _BROKEN) and not isinstance(broken, PayloadEncodingError):
        kind = _broken_kind(getattr(broken, "message", f"{broken}"), came)
    elif kind is ErrorKind.CLIENT and isinstance(error, aiohttp.ClientConnectorError):
        kind = connect_kind(error.os_error, tls=came.tls)
    elif kind is ErrorKind.CLIENT and isinstance(error, _CUT):
        return cut_kind(came.lost_by or _system_error(error), begun=came.begun, headed=came.headed)
    return kind, f"{type(error).__name__}: {error}"


def _system_error(error: Exception) -> Exception | None:
    return error if isinstance(error, OSError) else None


def _broken_kind(message: str, came: Came) -> ErrorKind:
    """What the parser minds, by the first line of what it says: it has one exception for nearly all of it."""
    line = message.strip().partition("\n")[0].lower()
    if line.startswith(("got more than", "too many headers")):
        return ErrorKind.HEAD_TOO_LARGE
    if line.startswith("bad status line") and came.began_well:
        return ErrorKind.BODY_OVERRUN  # of what was taken for the next answer; aiohttp drops the first one then
    return ErrorKind.BAD_CHUNK if "chunk" in line else ErrorKind.PROTOCOL
