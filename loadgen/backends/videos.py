"""The endpoint `v1/videos`: a job is created, polled, fetched and deleted. What is asked, and what answers mean.

Only the words: when to poll and what to time is for `loadgen/engine/jobs.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, TypeGuard
from urllib.parse import quote

from collector.records.record import ErrorKind
from loadgen.bodies import media_size, multipart
from loadgen.bodies.fields import row, said, shape
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
asked_size = media_size.of_sides

_FAILED: Final = frozenset({"failed", "cancelled", "canceled", "expired"})
_ID_CHARS: Final = 256  # longer ids are no ids


class State(Enum):
    """How far a job is: PENDING is whatever a server calls the time before its end."""

    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Job:
    """What an answer says of a job. `id` is the server's own; `reply` says why it failed, else holds its figures."""

    id: str
    state: State
    reply: ParsedAnswer = field(default_factory=ParsedAnswer)


def encode(sample: Sample, model: str, task: str) -> Request:
    """Write the form that creates a job, with the image of a task that takes one; extras win over all but the prompt.

    The dialect names no model. Raises InputError for an image that cannot be read and UsageError for more than one.
    """
    images = sample.images if task in IMAGE_INPUT_TASKS else ()
    if len(images) > 1:
        raise UsageError(f"{row(sample)}: has {len(images)} images, and --backend {name} takes one; drop the others")
    whole = said({**shape(sample), **sample.extra}) | {"prompt": sample.prompt}
    files = [("input_reference", read_image(image)) for image in images]
    return Request("POST", path, multipart.CONTENT_TYPE, multipart.form(whole, files, sample))


def read_job(body: bytes | bytearray | memoryview, expected: str | None = None) -> Job:
    """Say what the 200 answer to a create or a poll means; never raises.

    `expected` is the id that was polled: an answer may leave it out, but not name another. What cannot be read is a
    failed job whose reply says why; its id is "" where none is known.
    """
    answer = json_object(body)
    if isinstance(answer, ParsedAnswer):
        return Job(expected or "", State.FAILED, answer)
    found, status = answer.get("id", expected), answer.get("status")
    if not _is_id(found) or found != (expected or found):
        return _unreadable(expected or "", f"id is {found!r}, not {expected or 'a text for a path'}")
    if not isinstance(status, str):
        return _refused(found, answer) or _unreadable(found, f"status is {status!r}, not a text")
    status = status.lower()  # some write COMPLETED, and would be polled for ever
    if status in _FAILED:
        why = error_text(answer["error"]) if answer.get("error") else f"the job is {status}, and no error says why"
        return Job(found, State.FAILED, ParsedAnswer(ErrorKind.JOB_FAILED, why))
    if status != "completed":
        return Job(found, State.PENDING)
    return Job(found, State.COMPLETED, success((answer, answer.get("metrics"), answer.get("usage"))))


def _is_id(found: object) -> TypeGuard[str]:
    """Whether it can stand in a path, percent-encoded: some text, not too long, and no step to another folder."""
    if not isinstance(found, str) or not 0 < len(found) <= _ID_CHARS:
        return False
    return found not in (".", "..") and found.isprintable()


def _unreadable(job_id: str, problem: str) -> Job:
    return Job(job_id, State.FAILED, ParsedAnswer(ErrorKind.INVALID_BODY, short(problem)))


def _refused(job_id: str, answer: dict[str, Any]) -> Job | None:
    if error := answer.get("error"):
        return Job(job_id, State.FAILED, ParsedAnswer(ErrorKind.SERVER_ERROR, error_text(error)))
    return None


def poll(job_id: str) -> Request:
    """Ask how far a job is."""
    return Request("GET", _place(job_id), "", b"")


def content(job_id: str) -> Request:
    """Ask for the video of a completed job."""
    return Request("GET", f"{_place(job_id)}/content", "", b"")


def delete(job_id: str) -> Request:
    """Ask the server to forget a job."""
    return Request("DELETE", _place(job_id), "", b"")


def _place(job_id: str) -> str:
    return f"{path}/{quote(job_id, safe='')}"


def read_content(body: bytes | bytearray | memoryview) -> ParsedAnswer:
    """Say what the 200 answer to a request for content holds: a success is an MP4 as it stands; never raises."""
    found = describe(body[:12])
    if found is not None and found.kind == "video":
        return ParsedAnswer(media=(body,))
    return ParsedAnswer(
        ErrorKind.NO_MEDIA, short(f"no MP4, but {bytes(body[:40])!r}" if len(body) else "no MP4, but no byte")
    )


def read(body: bytes | bytearray | memoryview, task: str, n: int = 1) -> ParsedAnswer:
    """Say what the content of a job holds."""
    return read_content(body)


def media(body: bytes) -> Iterable[bytes]:
    """Return the video."""
    return (body,)
