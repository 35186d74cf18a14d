"""The record: the fixed-size timing row of one request, and the words for how a request can end."""

from enum import IntEnum
from typing import Final

import numpy as np

# 56 bytes, little endian, no padding; all times are CLOCK_MONOTONIC nanoseconds of one host.
RECORD: Final = np.dtype(
    [
        ("index", "<u4"),  # place in the plan, from 0, in schedule order
        ("sender", "<u2"),  # which sender process
        ("status", "<u2"),  # HTTP status, 0 where there was none
        ("outcome", "u1"),  # Outcome
        ("error", "u1"),  # ErrorKind, NONE unless outcome is ERROR
        ("flags", "<u2"),  # RETRIED, ...
        ("peak_memory_mb", "<f4"),  # as the server says, nan where it does not
        ("scheduled_ns", "<i8"),
        ("sent_ns", "<i8"),
        ("first_byte_ns", "<i8"),  # 0 where no byte came
        ("done_ns", "<i8"),  # last byte, or the instant it was given up
        ("received_bytes", "<i8"),  # size of the answer's body
    ]
)

RETRIED: Final = 1  # flag: sent again because the server had just closed the kept-alive connection


class Outcome(IntEnum):
    """How a sent request ended."""

    OK = 0
    ERROR = 1  # an answer that is not what was asked for, or none: see ErrorKind
    TIMEOUT = 2  # given up after --timeout
    CANCELLED = 3  # given up because the run was interrupted
    UNFINISHED = 4  # still running when the run had to end
    LOST = 5  # held by a sender that died


class ErrorKind(IntEnum):
    """Why an outcome is ERROR; the report's `errors` uses the lower-case names (http_NNN for HTTP)."""

    NONE = 0
    DNS = 1  # the name does not resolve
    CONNECT = 2  # refused or unreachable
    TLS = 3  # handshake failed
    RESET = 4  # connection reset
    DISCONNECTED = 5  # closed before the answer was whole
    PROTOCOL = 6  # not HTTP, or broken HTTP
    HTTP = 7  # a status other than 200
    INVALID_BODY = 8  # 200, but the body is not what the dialect says
    SERVER_ERROR = 9  # 200, but the body reports an error
    NO_MEDIA = 10  # 200, but no image or video in it
    OVERSIZED = 12  # a body beyond --max-body-bytes
    CLIENT = 11  # a fault of this tool


def error_name(kind: int, status: int) -> str:
    """Name of an error kind as reports print it: `http_503`, `no_media`, ...; one of a later layout is `kind_N`."""
    if kind == ErrorKind.HTTP:
        return f"http_{status}"
    return ErrorKind(kind).name.lower() if kind in ErrorKind.__members__.values() else f"kind_{kind}"
