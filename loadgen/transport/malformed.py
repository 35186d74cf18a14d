"""Malformed answers: bytes that are not valid HTTP, or exceed a limit."""

from collector.records.record import ErrorKind
from loadgen.transport.answer_headers import HEAD_LIMIT


class MalformedAnswerError(Exception):
    """An answer that is not valid HTTP or exceeds a limit; `kind` is the error kind."""

    def __init__(self, kind: ErrorKind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


def too_long(length: int) -> MalformedAnswerError:
    """A head, or trailers, of `length` bytes or more."""
    return MalformedAnswerError(
        ErrorKind.HEAD_TOO_LARGE, f"{length} bytes of headers or more, where {HEAD_LIMIT} are allowed"
    )


def too_large(length: int, limit: int) -> MalformedAnswerError:
    """A body of `length` bytes or more, where `limit` are allowed."""
    return MalformedAnswerError(
        ErrorKind.BODY_TOO_LARGE, f"a body of {length} bytes or more, where --max-body-bytes allows {limit}"
    )


def overrun() -> MalformedAnswerError:
    """Bytes after the end of a body that cannot start another answer."""
    return MalformedAnswerError(
        ErrorKind.BODY_OVERRUN, "the server sent bytes beyond Content-Length, or after the last chunk"
    )
