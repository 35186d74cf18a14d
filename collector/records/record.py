"""The record: the fixed-size timing row of one request, with its outcome and error kind."""

from collections import Counter
from enum import IntEnum, unique
from typing import Any, Final

import numpy as np

# 112 bytes, little endian, no padding; all times are CLOCK_MONOTONIC nanoseconds of one host.
RECORD: Final = np.dtype(
    [
        ("index", "<u4"),  # plan index, from 0, in schedule order
        ("sender", "<u2"),  # number of the sender process
        ("status", "<u2"),  # HTTP status, 0 where there was none
        ("outcome", "u1"),  # Outcome
        ("error", "u1"),  # ErrorKind, NONE unless outcome is ERROR
        ("flags", "<u2"),  # RETRIED, ..., and the media format (FORMAT_SHIFT)
        ("peak_memory_mb", "<f4"),  # as the server reports it, nan if it does not
        ("scheduled_ns", "<i8"),
        ("sent_ns", "<i8"),
        ("first_byte_ns", "<i8"),  # 0 if no byte came
        ("done_ns", "<i8"),  # last byte, or when the request was given up
        ("received_bytes", "<i8"),  # size of the answer body
        # only of jobs, 0 if not reached; see `Times.width_ns` for what they bound
        ("accepted_ns", "<i8"),  # the answer to its creation was received
        ("started_ns", "<i8"),  # the first answer "in progress" was received
        ("pending_ns", "<i8"),  # the last poll answered "not yet" was sent; before that, the creation
        ("completed_ns", "<i8"),  # the first answer "completed" was received
        ("content_ns", "<i8"),  # its content was received
        ("outputs", "<u2"),  # images or videos in the answer
        ("width", "<u2"),  # of the first of them, in pixels; 0 if unknown
        ("height", "<u2"),
        ("failed_polls", "<u2"),  # of a job: polls that failed and were repeated
        ("frames", "<u4"),  # of the first video, 0 if unknown
        ("inference_s", "<f4"),  # as the server reports it, nan if it does not
    ]
)

JOB_TIMES: Final = ("accepted_ns", "started_ns", "pending_ns", "completed_ns", "content_ns")
RETRIED: Final = 1  # flag: sent again because the server had just closed the kept-alive connection
FORMAT_SHIFT: Final = 8  # the upper byte of `flags` is the format of the first medium, an index of FORMATS
FORMATS: Final = (
    *("", "image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp", "image/avif", "image/heic", "image/heif"),
    *("image/jxl", "video/mp4", "video/quicktime", "video/3gpp", "video/webm", "video/x-matroska", "video/x-msvideo"),
)


class Outcome(IntEnum):
    """How a sent request ended."""

    OK = 0
    ERROR = 1  # a wrong answer, or none: see ErrorKind
    TIMEOUT = 2  # given up after --timeout
    CANCELLED = 3  # given up because the run was interrupted
    UNFINISHED = 4  # still running when the run had to end
    LOST = 5  # in flight in a sender that died


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
    INVALID_BODY = 8  # 200, but the body does not have the format of the backend
    SERVER_ERROR = 9  # 200, but the body reports an error
    NO_MEDIA = 10  # 200, but no image or video in it
    CLIENT = 11  # an error of this tool
    BODY_TOO_LARGE = 12  # beyond --max-body-bytes
    HEAD_TOO_LARGE = 14  # headers or trailers beyond the limit
    HEAD_CUT = 15  # closed in the middle of the head
    BODY_CUT = 16  # closed in the middle of the body, before its announced end
    BAD_CHUNK = 17  # invalid chunk sizes
    BODY_OVERRUN = 18  # more bytes than Content-Length
    COMPRESSED = 19  # a Content-Encoding that was not asked for
    JOB_FAILED = 20  # a job that the server reports as failed
    WRONG_MEDIA = 13  # 200, but the image or video is of the wrong kind or size, or incomplete
    NO_PORT = 30  # this machine has no ephemeral port left for a connection


def error_name(kind: int, status: int, step: str = "") -> str:
    """Name of an error kind in reports: `http_503`, `poll_http_404`; an unknown kind is `kind_N`.

    `step` (see `job_step`) is the prefix for errors of a single request of a job.
    """
    if kind in (ErrorKind.JOB_FAILED, ErrorKind.WRONG_MEDIA):
        return ErrorKind(kind).name.lower()
    if kind == ErrorKind.HTTP:
        return f"{step}http_{status}"
    return step + (ErrorKind(kind).name.lower() if kind in ErrorKind.__members__.values() else f"kind_{kind}")


def job_step(accepted_ns: int, completed_ns: int) -> str:
    """The last request of a job: `poll_` or `content_`; "" for its creation, and for requests that are no jobs."""
    return "content_" if completed_ns else "poll_" if accepted_ns else ""


def failures(records: "np.ndarray[Any, np.dtype[np.void]]") -> Counter[str]:
    """Count the failed requests (dtype RECORD) by the name of their error, or of their outcome if that is not ERROR."""
    failed = records[records["outcome"] != Outcome.OK]
    answered = failed["outcome"] == Outcome.ERROR
    counts = Counter(error_names(failed[answered]))
    for outcome in failed["outcome"][~answered].tolist():
        counts[Outcome(outcome).name.lower() if outcome <= max(Outcome) else f"outcome_{outcome}"] += 1
    return counts


def error_names(records: "np.ndarray[Any, np.dtype[np.void]]") -> list[str]:
    """Names of the errors of failed requests (dtype RECORD), in order."""
    columns = (records[name].tolist() for name in ("error", "status", "accepted_ns", "completed_ns"))
    return [error_name(kind, status, job_step(*job)) for kind, status, *job in zip(*columns, strict=True)]
