"""The intake: what happens to an answer once its stamps are taken and its permit is back."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from collector.records.record import ErrorKind, Outcome, error_name, job_step
from loadgen.backends import Backend
from loadgen.bodies.parsed_answer import ParsedAnswer
from loadgen.bodies.server_figures import with_headers
from loadgen.capture.answer_capture import AnswerCapture
from loadgen.engine.record_sender import EXAMPLE_CHARS, RecordSender
from loadgen.media.verification import HeaderVerifier
from loadgen.transport.answer_headers import is_coded, remark
from loadgen.transport.interface import NO_JOB, Answer, Milestones

PUT_OFF: Final = (429, 503)  # statuses that say: not now
RETRY_AFTER: Final = "Retry-After"
Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ExpectedMedia:
    """What answers are held against: the task, how many media, and by plan index their size (see `requested_size`)."""

    task: str
    n: int = 1
    size: Callable[[int], Size] = lambda _index: (0, 0)


class AnswerHandler:
    """Looks into bodies, writes the record, keeps what is to be saved."""

    def __init__(
        self,
        backend: Backend,
        asked: ExpectedMedia,
        record_sender: RecordSender,
        capture: AnswerCapture | None = None,
        verifier: HeaderVerifier | None = None,
    ) -> None:
        self._backend, self._asked = backend, asked
        self._record_sender, self._capture, self._verifier = record_sender, capture, verifier

    def start(self) -> None:
        """Time zero is near: what verifying costs counts from here on."""
        if self._verifier:
            self._verifier.start()

    def judge(self, answer: Answer, size: Size = (0, 0)) -> ParsedAnswer:
        """Say what an answer amounts to: the failure of the exchange, of the status, or what the body holds."""
        told = answer.told
        if answer.head and 200 <= answer.status < 300 and is_coded(answer.head):
            return ParsedAnswer(ErrorKind.COMPRESSED, _coding(answer.head))
        if told and (told.error or not answer.milestones.content_ns):
            return told
        if answer.error:
            return ParsedAnswer(answer.error, answer.detail)
        if answer.status != 200:
            return ParsedAnswer(ErrorKind.HTTP, _refusal(answer))
        reply = self._backend.read(answer.body, self._asked.task, self._asked.n)
        if reply.error:
            return reply
        if self._verifier and (fault := self._verifier.fault(reply.media, size)):
            return ParsedAnswer(ErrorKind.WRONG_MEDIA, fault)
        if answer.headers:
            reply = with_headers(reply, answer.headers)
        return reply if told is None else _with_figures(reply, told)

    def take(self, index: int, scheduled_ns: int, answer: Answer) -> None:
        """Judge the answer to request `index` and record it, whatever is in it."""
        stamps = (scheduled_ns, answer.sent_ns, answer.first_byte_ns, answer.done_ns)
        if answer.overdue:
            return self.give_up(index, Outcome.TIMEOUT, stamps, answer.milestones, answer.flags)
        try:
            reply = self.judge(answer, self._asked.size(index))
        except Exception as error:
            reply = ParsedAnswer(ErrorKind.CLIENT, f"{type(error).__name__}: {error}")
        self._record_sender.record(
            index,
            Outcome.ERROR if reply.error else Outcome.OK,
            stamps,
            error=reply.error,
            status=answer.status,
            flags=answer.flags,
            peak_memory_mb=reply.peak_memory_mb,
            received=len(answer.body),
            milestones=answer.milestones,
        )
        if answer.status in PUT_OFF and (after := remark(answer.head, RETRY_AFTER)):
            self._record_sender.note(index, {"retry_after": after})
        if reply.error:
            self._record_sender.explain(index, error_of(reply, answer), reply.detail)
            return None
        if reply.stage_durations:
            self._record_sender.note(index, {"stages": dict(reply.stage_durations)})
        if self._capture:
            self._capture.keep(index, answer.body)
        return None

    def give_up(
        self,
        index: int,
        outcome: Outcome,
        stamps: tuple[int, int, int, int],
        milestones: Milestones = NO_JOB,
        flags: int = 0,
    ) -> None:
        """Record a request that gets no answer; `stamps` are scheduled, sent, first byte, done (ns)."""
        self._record_sender.record(index, outcome, stamps, milestones=milestones, flags=flags)

    def close(self) -> dict[str, Any]:
        """Send what is left; return what could not be kept, and what verifying cost."""
        self._record_sender.flush()
        lost = {"lost": asdict(self._capture.write_errors)} if self._capture else {}
        return {**lost, **(self._verifier.signs() if self._verifier else {})}


def error_of(reply: ParsedAnswer, answer: Answer) -> str:
    """Name the error of a reply, as `collector.records.record.error_name` does."""
    done = answer.milestones
    return error_name(reply.error, answer.status, job_step(done.accepted_ns, done.completed_ns))


def _with_figures(reply: ParsedAnswer, told: ParsedAnswer) -> ParsedAnswer:
    """Add the figures that a job's polls told: its content is the video and nothing else."""
    return replace(reply, stage_durations=told.stage_durations, peak_memory_mb=told.peak_memory_mb)


def _refusal(answer: Answer) -> str:
    """What an answer other than 200 says for itself, in its head and in its body."""
    found = ((name, remark(answer.head, name)) for name in ("Location", RETRY_AFTER))
    remarks = [f"{name}: {value}" for name, value in found if value]
    if 300 <= answer.status < 400:
        remarks.insert(0, "redirects are not followed")
    said = bytes(answer.body[:EXAMPLE_CHARS]).decode(errors="replace")
    return "; ".join([*remarks, said] if said else remarks)


def _coding(head: bytes) -> str:
    named = (f"{name}: {value}" for name in ("Content-Encoding", "Transfer-Encoding") if (value := remark(head, name)))
    return f"the body is coded though that was not asked for ({', '.join(named)}); turn compression off in the server"
