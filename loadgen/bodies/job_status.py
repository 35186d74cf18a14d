"""The status of a job as servers report it: an id, a word for the state, and an error or figures."""

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final, TypeGuard

from collector.records.record import ErrorKind
from loadgen.bodies.json_body import error_text, json_object, short
from loadgen.bodies.parsed_answer import ParsedAnswer
from loadgen.bodies.server_figures import success

_ID_CHARS: Final = 256  # longer ids are rejected
_MOST_OUTPUTS: Final = 1000  # of one job
_ERRORS: Final = ("error", "error_message", "message", "detail", "reason")  # where a failed job says why


class State(Enum):
    """The state of a job. An UNKNOWN word says neither that it has started nor that it has ended."""

    PENDING = "pending"
    RUNNING = "running"
    UNKNOWN = "unknown"
    COMPLETED = "completed"
    FAILED = "failed"


_WORDS: Final = {
    word: state
    for state, words in {
        State.PENDING: "queued pending submitted created accepted waiting scheduled not_started in_queue",
        State.RUNNING: "in_progress processing running started generating inprogress",
        State.COMPLETED: "completed complete succeeded success successful done finished",
        State.FAILED: "failed failure error errored cancelled canceled aborted expired timeout timed_out deleted",
    }.items()
    for word in words.split()
}


@dataclass(frozen=True, slots=True)
class Job:
    """The status of a job: the id that the server chose, the state, and the parsed error (if failed) or figures.

    `word` is the server's word for the state, in lower case, "" if it has none.
    """

    id: str
    state: State
    parsed: ParsedAnswer = field(default_factory=ParsedAnswer)
    word: str = ""


def read(
    body: bytes | bytearray | memoryview, expected: str | None, id_key: str = "id", status_key: str = "status"
) -> Job:
    """Parse the answer to a creation or a poll; never raises.

    `expected` is the id that was polled: an answer may omit it, but not have another one. An answer that cannot be
    parsed gives a failed job with the error; its id is "" if unknown.
    """
    answer = json_object(body)
    if isinstance(answer, ParsedAnswer):
        return Job(expected or "", State.FAILED, answer)
    found, status = answer.get(id_key, expected), answer.get(status_key)
    if not _is_id(found) or found != (expected or found):
        return _invalid(expected or "", f"{id_key} is {found!r}, not {expected or 'a text for a path'}")
    if not isinstance(status, str):
        return _server_error(found, answer) or _invalid(found, f"{status_key} is {status!r}, not a text")
    word, state = status.strip().lower(), state_of(status)
    if state is State.FAILED:
        return Job(found, state, ParsedAnswer(ErrorKind.JOB_FAILED, _reason(answer, word)), word)
    if state is State.COMPLETED:
        figures = success((answer, answer.get("metrics"), answer.get("usage")))
        return Job(found, state, replace(figures, outputs=_outputs(answer)), word)
    return Job(found, state, word=word)


def state_of(word: str) -> State:
    """Return the state that a server's word means, in any case."""
    return _WORDS.get(word.strip().lower().replace("-", "_").replace(" ", "_"), State.UNKNOWN)


def stops_work(body: bytes | bytearray | memoryview) -> bool | None:
    """Whether an answer to a DELETE says that the server stopped the work, or only forgot the job; None: neither.

    vLLM-Omni answers `deleted: true` after aborting, LightX2V `stop_status`, SGLang the job with `status: deleted`.
    """
    answer = json_object(body)
    if isinstance(answer, ParsedAnswer):
        return None
    if answer.get("deleted") is True or answer.get("stop_status") == "success":
        return True
    return False if answer.get("status") == "deleted" else None


def _is_id(found: object) -> TypeGuard[str]:
    """Whether it can be a percent-encoded path segment: printable, 1 to 256 characters, neither `.` nor `..`."""
    if not isinstance(found, str) or not 0 < len(found) <= _ID_CHARS:
        return False
    return found not in (".", "..") and found.isprintable()


def _reason(answer: dict[str, Any], word: str) -> str:
    reasons = (answer.get(key) for key in _ERRORS)
    return next((error_text(reason) for reason in reasons if reason), f"the job is {word}, and no error says why")


def _outputs(answer: dict[str, Any]) -> int:
    """The number of videos that a completed job has: SGLang says it, of which only the first is fetched; at least 1."""
    count, files = answer.get("num_outputs"), answer.get("file_paths")
    if type(count) is int and 0 < count < _MOST_OUTPUTS:
        return count
    return min(max(len(files), 1), _MOST_OUTPUTS) if isinstance(files, list) else 1


def _invalid(job_id: str, problem: str) -> Job:
    return Job(job_id, State.FAILED, ParsedAnswer(ErrorKind.INVALID_BODY, short(problem)))


def _server_error(job_id: str, answer: dict[str, Any]) -> Job | None:
    if error := answer.get("error"):
        return Job(job_id, State.FAILED, ParsedAnswer(ErrorKind.SERVER_ERROR, error_text(error)))
    return None
