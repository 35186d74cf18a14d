"""Maps errors of connecting, and connections that ended early, to error kinds."""

import errno
import ssl
from typing import Final

from collector.records.record import ErrorKind

# Limits of this machine, not of the server: descriptors, socket memory, ports.
OWN_FAULTS: Final = {
    **dict.fromkeys((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM), ErrorKind.CLIENT),
    errno.EADDRNOTAVAIL: ErrorKind.NO_PORT,
}
PEER_CLOSED: Final = (errno.ECONNRESET, errno.EPIPE)


def connect_kind(error: Exception, *, tls: bool) -> ErrorKind:
    """The kind of an error of connecting; a reset of a TLS connection happened in its handshake."""
    if isinstance(error, OSError) and error.errno in OWN_FAULTS:
        return OWN_FAULTS[error.errno]
    if isinstance(error, ssl.SSLError | ssl.CertificateError | ValueError):
        return ErrorKind.TLS
    if isinstance(error, ConnectionResetError | ConnectionAbortedError | BrokenPipeError):
        return ErrorKind.TLS if tls else ErrorKind.RESET
    return ErrorKind.CONNECT


def cut_kind(error: BaseException | None, *, begun: bool, headed: bool) -> tuple[ErrorKind, str]:
    """Kind and detail of a connection that ended, with `error` or cleanly, before the answer was whole.

    `begun`: a byte of the answer had arrived; `headed`: its head was complete.
    """
    if isinstance(error, ConnectionError) or (isinstance(error, OSError) and error.errno in PEER_CLOSED):
        return ErrorKind.RESET, f"{error}"
    kind, where = ErrorKind.DISCONNECTED, "without an answer"
    if begun:
        kind, where = ErrorKind.HEAD_CUT, "in the middle of the head"
    if headed:
        kind, where = ErrorKind.BODY_CUT, "in the middle of the body"
    return kind, f"the server closed the connection {where}" + (f": {error}" if error else "")
