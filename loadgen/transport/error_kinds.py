"""Failures: which kind an error of connecting, of a cut connection or of aiohttp is."""

import errno
import ssl
from typing import Final

from collector.records.record import ErrorKind

# Limits of this machine, which say nothing of the server: descriptors, memory for sockets, ports.
OWN_FAULTS: Final = {
    **dict.fromkeys((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM), ErrorKind.CLIENT),
    errno.EADDRNOTAVAIL: ErrorKind.NO_PORT,
}
_GONE: Final = (errno.ECONNRESET, errno.EPIPE)


def connect_kind(error: Exception, *, tls: bool) -> ErrorKind:
    """What an error of opening a connection is; where it was there and went, that was in the handshake of TLS."""
    if isinstance(error, OSError) and error.errno in OWN_FAULTS:
        return OWN_FAULTS[error.errno]
    if isinstance(error, ssl.SSLError | ssl.CertificateError | ValueError):
        return ErrorKind.TLS
    if isinstance(error, ConnectionResetError | ConnectionAbortedError | BrokenPipeError):
        return ErrorKind.TLS if tls else ErrorKind.RESET
    return ErrorKind.CONNECT


def cut_kind(error: BaseException | None, *, begun: bool, headed: bool) -> tuple[ErrorKind, str]:
    """What it is when a connection ends, by `error` or cleanly, where an answer had `begun` or its head had ended."""
    if isinstance(error, ConnectionError) or (isinstance(error, OSError) and error.errno in _GONE):
        return ErrorKind.RESET, f"{error}"
    kind, where = ErrorKind.DISCONNECTED, "without an answer"
    if begun:
        kind, where = ErrorKind.HEAD_CUT, "in the middle of the head"
    if headed:
        kind, where = ErrorKind.BODY_CUT, "in the middle of the body"
    return kind, f"the server closed the connection {where}" + (f": {error}" if error else "")
