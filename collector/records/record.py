"""The record: the fixed-size timing row of one request, and the words for how a request can end."""

from enum import IntEnum, unique
from typing import Any, Final

import numpy as np

# 88 bytes, little endian, no padding; all times are CLOCK_MONOTONIC nanoseconds of one host.
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
        # of a job, 0 elsewhere and where it did not come that far; see `Times.width_ns` for what they prove
        ("accepted_ns", "<i8"),  # the answer to its creation was here
        ("pending_ns", "<i8"),  # the last poll that said "not yet" was sent; before any, the creation was
        ("completed_ns", "<i8"),  # the first answer that said "completed" was here
        ("content_ns", "<i8"),  # its content was here
    ]
)

JOB_TIMES: Final = ("accepted_ns", "pending_ns", "completed_ns", "content_ns")
RETRIED: Final = 1  # flag: sent again because the server had just closed the kept-alive connection


class Outcome(IntEnum):
    """How a sent request ended."""

    OK = 0
    ERROR = 1  # an answer that is not what was asked for, or none: see ErrorKind
    TIMEOUT = 2  # given up after --timeout
    CANCELLED = 3  # given up because the run was interrupted
    UNFINISHED = 4  # still running when the run had to end
    LOST = 5  # held by a sender that died


@unique
class ErrorKind(IntEnum):
    """Why an outcome is ERROR; the report's `errors` uses the lower-case names (http_NNN for HTTP)."""

    NONE = 0
    DNS = 1  # the name does not resolve
    CONNECT = 2  # refused or unreachable
    TLS = 3  # handshake failed
    RESET = 4  # connection reset
    DISCONNECTED = 5  # closed without a byte of an answer
    PROTOCOL = 6  # not HTTP, or broken HTTP
    HTTP = 7  # a status other than 200
    INVALID_BODY = 8  # 200, but the body is not what the dialect says
    SERVER_ERROR = 9  # 200, but the body reports an error
    NO_MEDIA = 10  # 200, but no image or video in it
    CLIENT = 11  # a fault of this tool
    BODY_TOO_LARGE = 12  # beyond --max-body-bytes
    HEAD_TOO_LARGE = 14  # headers or trailers beyond what any server needs
    HEAD_CUT = 15  # closed in the middle of the head
    BODY_CUT = 16  # closed in the middle of the body: less than its length or chunks promised
    BAD_CHUNK = 17  # chunk sizes that are none
    BODY_OVERRUN = 18  # more came than its length said
    COMPRESSED = 19  # or coded in another way, which was not asked for
    JOB_FAILED = 20  # a job that the server itself calls failed
    WRONG_MEDIA = 13  # 200, but the image or video is not what was asked for, or not whole
    NO_PORT = 30  # this machine has no ephemeral port left for a connection


def error_name(kind: int, status: int, step: str = "") -> str:
    """Name of an error kind as reports print it: `http_503`, `poll_http_404`; one of a later layout is `kind_N`.

    `step` is that of `job_step`, and goes before whatever befell one request of a job.
    """
    if kind in (ErrorKind.JOB_FAILED, ErrorKind.WRONG_MEDIA):
        return ErrorKind(kind).name.lower()
    if kind == ErrorKind.HTTP:
        return f"{step}http_{status}"
    return step + (ErrorKind(kind).name.lower() if kind in ErrorKind.__members__.values() else f"kind_{kind}")


def job_step(accepted_ns: int, completed_ns: int) -> str:
    """Which request of a job came last: `poll_` or `content_`; "" for its creation, and where there is no job."""
    return "content_" if completed_ns else "poll_" if accepted_ns else ""


def error_names(records: "np.ndarray[Any, np.dtype[np.void]]") -> list[str]:
    """Name the errors of failed requests (dtype RECORD), in their order."""
    columns = (records[name].tolist() for name in ("error", "status", "accepted_ns", "completed_ns"))
    return [error_name(kind, status, job_step(*job)) for kind, status, *job in zip(*columns, strict=True)]
