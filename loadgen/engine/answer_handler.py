"""The answer handler: checks and records an answer after its times are taken and its permit is returned."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from collector.records.record import ErrorKind, Outcome, error_name, job_step
from loadgen.backends import Backend
from loadgen.bodies.parsed_answer import ParsedAnswer
from loadgen.bodies.server_figures import with_headers
from loadgen.capture.answer_capture import AnswerCapture
from loadgen.engine.record_sender import RecordSender
from loadgen.media.headers import NO_MEDIA_INFO, SIDE_LIMIT, MediaInfo
from loadgen.media.verification import HeaderVerifier
from loadgen.transport.answer_headers import header, is_encoded
from loadgen.transport.interface import Answer, Exchange

RETRY_LATER: Final = (429, 503)  # Too Many Requests, Service Unavailable
RETRY_AFTER: Final = "Retry-After"
BODY_CHARS: Final = 300  # that are shown of a body which is not understood
Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ExpectedMedia:
    """What an answer must contain: the task, the number of media, and their size in pixels by plan index."""

    task: str
    n: int = 1
    size: Callable[[int], Size] = lambda _index: (0, 0)


class AnswerHandler:
    """Parses and checks bodies, writes records, and captures the answers that are to be saved."""

    def __init__(
        self,
        backend: Backend,
        expected: ExpectedMedia,
        record_sender: RecordSender,
        capture: AnswerCapture | None = None,
        verifier: HeaderVerifier | None = None,
    ) -> None:
        self._backend, self._expected = backend, expected
        self._record_sender, self._capture, self._verifier = record_sender, capture, verifier

    def start(self) -> None:
        """Reset the cost of verification; called shortly before time zero."""
        if self._verifier:
            self._verifier.start()

    def judge(self, answer: Answer, size: Size = (0, 0)) -> ParsedAnswer:
        """Return the error of the exchange or of the status, or else what the body contains."""
        return self._examine(answer, size)[0]

    def _examine(self, answer: Answer, size: Size) -> tuple[ParsedAnswer, MediaInfo]:
        """Return the same, and what the media of a success are."""
        polled = answer.polled
        if answer.head and 200 <= answer.status < 300 and is_encoded(answer.head):
            return ParsedAnswer(ErrorKind.COMPRESSED, _encodings(answer.head)), NO_MEDIA_INFO
        if polled and (polled.error or not answer.milestones.content_ns):
            return polled, NO_MEDIA_INFO if polled.error else MediaInfo(outputs=polled.outputs or 1)
        if answer.error:
            return ParsedAnswer(answer.error, answer.detail), NO_MEDIA_INFO
        if answer.status != 200:
            return ParsedAnswer(ErrorKind.HTTP, _http_error_detail(answer)), NO_MEDIA_INFO
        parsed = self._backend.read(answer.body, self._expected.task, self._expected.n)
        if parsed.error:
            return parsed, NO_MEDIA_INFO
        fault, info = self._verifier.examine(parsed.media, size) if self._verifier else ("", _uninspected(parsed))
        if fault:
            return ParsedAnswer(ErrorKind.WRONG_MEDIA, fault), info
        if answer.headers:
            parsed = with_headers(parsed, answer.headers)
        if polled is None:
            return parsed, info
        return _with_figures(parsed, polled), info._replace(outputs=polled.outputs or info.outputs)

    def take(self, index: int, scheduled_ns: int, answer: Answer) -> None:
        """Judge the answer to request `index` and record the outcome; never raises because of its content."""
        stamps = (scheduled_ns, answer.sent_ns, answer.first_byte_ns, answer.done_ns)
        if answer.overdue:
            return self.give_up(index, Outcome.TIMEOUT, stamps, answer)
        try:
            parsed, info = self._examine(answer, self._expected.size(index))
        except Exception as error:
            parsed, info = ParsedAnswer(ErrorKind.CLIENT, f"{type(error).__name__}: {error}"), NO_MEDIA_INFO
        self._record_sender.record(
            index,
            Outcome.ERROR if parsed.error else Outcome.OK,
            stamps,
            error=parsed.error,
            status=answer.status,
            flags=answer.flags,
            peak_memory_mb=parsed.peak_memory_mb,
            received=len(answer.body),
            milestones=answer.milestones,
            failed_polls=answer.failed_polls,
            media=info,
            inference_s=parsed.inference_s,
        )
        if answer.status in RETRY_LATER and (after := header(answer.head, RETRY_AFTER)):
            self._record_sender.note(index, {"retry_after": after})
        if parsed.error:
            self._record_sender.explain(index, error_of(parsed, answer), parsed.detail)
            return None
        if parsed.stage_durations:
            self._record_sender.note(index, {"stages": dict(parsed.stage_durations)})
        if self._capture:
            self._capture.keep(index, answer.body)
        return None

    def give_up(
        self, index: int, outcome: Outcome, stamps: tuple[int, int, int, int], progress: Exchange | Answer
    ) -> None:
        """Record a request without an answer; `stamps` are scheduled, sent, first byte, done (ns)."""
        self._record_sender.record(
            index,
            outcome,
            stamps,
            milestones=progress.milestones,
            flags=progress.flags,
            failed_polls=progress.failed_polls,
        )

    def close(self) -> dict[str, Any]:
        """Send the remaining records; return the capture errors and the cost of verification."""
        self._record_sender.flush()
        capture_errors = {"lost": asdict(self._capture.write_errors)} if self._capture else {}
        return {**capture_errors, **(self._verifier.figures() if self._verifier else {})}


def error_of(parsed: ParsedAnswer, answer: Answer) -> str:
    """The error name of a parsed answer, as in `collector.records.record.error_name`."""
    milestones = answer.milestones
    return error_name(parsed.error, answer.status, job_step(milestones.accepted_ns, milestones.completed_ns))


def _with_figures(parsed: ParsedAnswer, polled: ParsedAnswer) -> ParsedAnswer:
    """Add the figures from the job's last poll: the content is the video and nothing else."""
    return replace(
        parsed,
        stage_durations=polled.stage_durations,
        peak_memory_mb=polled.peak_memory_mb,
        inference_s=polled.inference_s,
        outputs=polled.outputs,
    )


def _uninspected(parsed: ParsedAnswer) -> MediaInfo:
    return MediaInfo(min(parsed.outputs or len(parsed.media), SIDE_LIMIT))


def _http_error_detail(answer: Answer) -> str:
    """The reason in an answer other than 200: its Location and Retry-After headers, and the start of its body."""
    headers = ((name, header(answer.head, name)) for name in ("Location", RETRY_AFTER))
    parts = [f"{name}: {value}" for name, value in headers if value]
    if 300 <= answer.status < 400:
        parts.insert(0, "redirects are not followed")
    parts.append(bytes(answer.body[:BODY_CHARS]).decode(errors="replace"))
    return "; ".join(filter(None, parts))


def _encodings(head: bytes) -> str:
    headers = (
        f"{name}: {value}" for name in ("Content-Encoding", "Transfer-Encoding") if (value := header(head, name))
    )
    return f"the body is encoded unasked ({', '.join(headers)}); turn compression off in the server"
