"""The backend `v1/videos`: encodes the requests that create, poll, fetch and delete a video job; parses their answers.

When to poll and what to time is decided in `loadgen/engine/jobs.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, TypeGuard
from urllib.parse import quote

from collector.records.record import ErrorKind
from loadgen.bodies import media_size, multipart
from loadgen.bodies.fields import generation_fields, label, without_nulls
from loadgen.bodies.json_body import error_text, json_object, short
from loadgen.bodies.parsed_answer import ParsedAnswer
from loadgen.bodies.request import Request
from loadgen.bodies.server_figures import success
from loadgen.datasets.input_images import read_image
from loadgen.datasets.sample import Sample
from loadgen.errors import UsageError
from loadgen.media.headers import describe
from loadgen.options import IMAGE_INPUT_TASKS

name: Final = "v1/videos"
path: Final = "/v1/videos"
tasks: Final = ("t2v", "i2v", "ti2v")
needs_authorization: Final = False
takes_n: Final = False
headers: Final[tuple[str, ...]] = ()
requested_size = media_size.from_sides

_FAILED: Final = frozenset({"failed", "cancelled", "canceled", "expired"})
_HEAD_BYTES: Final = 1024  # enough to tell the kind of a file
_ID_CHARS: Final = 256  # longer ids are rejected


class State(Enum):
    """The state of a job; any status that is neither success nor failure is PENDING."""

    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Job:
    """The status of a job: the id that the server chose, the state, and the parsed error (if failed) or figures."""

    id: str
    state: State
    parsed: ParsedAnswer = field(default_factory=ParsedAnswer)


def encode(sample: Sample, model: str, task: str) -> Request:
    """Encode the form that creates a job, with the input image if `task` takes one.

    Extra fields override all but the prompt; the form has no model field. Raises InputError for an image that cannot be
    read and UsageError for more than one image.
    """
    images = sample.images if task in IMAGE_INPUT_TASKS else ()
    if len(images) > 1:
        raise UsageError(f"{label(sample)}: has {len(images)} images, and --backend {name} takes one; drop the others")
    form_fields = without_nulls({**generation_fields(sample), **sample.extra}) | {"prompt": sample.prompt}
    files = [("input_reference", read_image(image)) for image in images]
    return Request("POST", path, multipart.CONTENT_TYPE, multipart.form(form_fields, files, sample))


def read_job(body: bytes | bytearray | memoryview, expected: str | None = None) -> Job:
    """Parse the 200 answer to a create or a poll; never raises.

    `expected` is the id that was polled: an answer may omit it, but not have another one. An answer that cannot be
    parsed gives a failed job with the error; its id is "" if unknown.
    """
    answer = json_object(body)
    if isinstance(answer, ParsedAnswer):
        return Job(expected or "", State.FAILED, answer)
    found, status = answer.get("id", expected), answer.get("status")
    if not _is_id(found) or found != (expected or found):
        return _invalid(expected or "", f"id is {found!r}, not {expected or 'a text for a path'}")
    if not isinstance(status, str):
        return _server_error(found, answer) or _invalid(found, f"status is {status!r}, not a text")
    status = status.lower()  # some servers write COMPLETED
    if status in _FAILED:
        why = error_text(answer["error"]) if answer.get("error") else f"the job is {status}, and no error says why"
        return Job(found, State.FAILED, ParsedAnswer(ErrorKind.JOB_FAILED, why))
    if status != "completed":
        return Job(found, State.PENDING)
    return Job(found, State.COMPLETED, success((answer, answer.get("metrics"), answer.get("usage"))))


def _is_id(found: object) -> TypeGuard[str]:
    """Whether it can be a percent-encoded path segment: printable, 1 to 256 characters, neither `.` nor `..`."""
    if not isinstance(found, str) or not 0 < len(found) <= _ID_CHARS:
        return False
    return found not in (".", "..") and found.isprintable()


def _invalid(job_id: str, problem: str) -> Job:
    return Job(job_id, State.FAILED, ParsedAnswer(ErrorKind.INVALID_BODY, short(problem)))


def _server_error(job_id: str, answer: dict[str, Any]) -> Job | None:
    if error := answer.get("error"):
        return Job(job_id, State.FAILED, ParsedAnswer(ErrorKind.SERVER_ERROR, error_text(error)))
    return None


def poll(job_id: str) -> Request:
    """Return the request for the status of a job."""
    return Request("GET", _job_path(job_id), "", b"")


def content(job_id: str) -> Request:
    """Return the request for the video of a completed job."""
    return Request("GET", f"{_job_path(job_id)}/content", "", b"")


def delete(job_id: str) -> Request:
    """Return the request that deletes a job."""
    return Request("DELETE", _job_path(job_id), "", b"")


def _job_path(job_id: str) -> str:
    return f"{path}/{quote(job_id, safe='')}"


def read_content(body: bytes | bytearray | memoryview) -> ParsedAnswer:
    """Parse the 200 answer to a content request: a success is a video, or an animated image; never raises."""
    found = describe(body[:_HEAD_BYTES])
    if found is not None and found.serves_as("video"):
        return ParsedAnswer(media=(body,))
    return ParsedAnswer(
        ErrorKind.NO_MEDIA, short(f"no video, but {bytes(body[:40])!r}" if len(body) else "no video: empty body")
    )


def read(body: bytes | bytearray | memoryview, task: str, n: int = 1) -> ParsedAnswer:
    """Parse the content of a job."""
    return read_content(body)


def media(body: bytes) -> Iterable[bytes]:
    """Return the video."""
    return (body,)
