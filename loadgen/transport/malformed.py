"""Broken answers: bytes that are no answer of HTTP, or one that is too large."""

from collector.records.record import ErrorKind
from loadgen.transport.answer_headers import HEAD_LIMIT


class MalformedAnswerError(Exception):
    """The bytes are no answer, or one that is too large; `kind` says which."""

    def __init__(self, kind: ErrorKind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


def too_long(length: int) -> MalformedAnswerError:
    """A head, or trailers, of `length` bytes or more."""
    return MalformedAnswerError(
        ErrorKind.HEAD_TOO_LARGE, f"{length} bytes of headers or more, where {HEAD_LIMIT} are taken"
    )


def too_large(length: int, limit: int) -> MalformedAnswerError:
    """A body of `length` bytes or more, where `limit` are taken."""
    return MalformedAnswerError(
        ErrorKind.BODY_TOO_LARGE, f"a body of {length} bytes or more, where --max-body-bytes allows {limit}"
    )


def overrun() -> MalformedAnswerError:
    """Bytes behind the end of a body that cannot be another answer."""
    return MalformedAnswerError(ErrorKind.BODY_OVERRUN, "more came than the Content-Length said, or the last chunk")
