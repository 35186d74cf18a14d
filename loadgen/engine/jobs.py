"""Jobs: a transport whose exchanges are asynchronous jobs, each created, polled, downloaded and deleted.

To the sender a job looks like any request: one request, one permit, one answer, when the job has ended.

    create ── accepted ──> poll ── "not yet" ──> poll ... ── "completed" ──> content ──> answer ──> DELETE
       └─ anything else ─────┴── "failed", anything else ───────────────────────┴──────> answer ──> DELETE

A poll that fails is repeated: it says nothing about the job. The answer returns the permit and ends the latencies; the
DELETE is sent afterwards (job_deletes.py) and is not measured.
"""

import asyncio
from collections.abc import Callable, Container
from typing import Final

from collector.records.record import ErrorKind
from loadgen.backends import Job, JobBackend, ParsedAnswer, Request, State
from loadgen.bodies.json_body import short
from loadgen.clock import now_ns
from loadgen.engine.job_deletes import JobDeletes
from loadgen.engine.poll_intervals import Polling
from loadgen.options import JobOptions
from loadgen.transport.interface import NO_JOB, Answer, Exchange, Milestones, Transport

_CREATED_STATUSES: Final = frozenset({200, 201, 202})  # statuses that create a job; all other requests need 200
_ENDED: Final = (State.COMPLETED, State.FAILED)
_TRANSIENT_ERRORS: Final = frozenset(
    {
        *(ErrorKind.DNS, ErrorKind.CONNECT, ErrorKind.TLS, ErrorKind.RESET, ErrorKind.DISCONNECTED),
        *(ErrorKind.HEAD_CUT, ErrorKind.BODY_CUT, ErrorKind.NO_PORT),
    }
)
_TRANSIENT_STATUSES: Final = (408, 425, 429)  # Request Timeout, Too Early, Too Many Requests; and all 5xx


class Jobs:
    """Runs jobs over another transport. `request_timeout_s` limits each of their requests; None: no limit.

    `remark` gets a line for the user: each unknown word for a state, once.
    """

    def __init__(
        self,
        transport: Transport,
        backend: JobBackend,
        options: JobOptions,
        request_timeout_s: float | None,
        seed: str,
        remark: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.transport, self.backend, self.options = transport, backend, options
        self.name, self.request_timeout_s = transport.name, request_timeout_s
        self.loop = asyncio.get_running_loop()
        self.polling = Polling(options.poll_interval_s, seed)
        self.deletes = JobDeletes(transport, backend, options)
        self.unknown_words: set[str] = set()
        self._remark = remark

    async def open(self, connections: int) -> int:
        """Open connections ahead of time; return how many are open."""
        return await self.transport.open(connections)

    def send(self, request: Request, done: Callable[[Answer], None], not_before_ns: int = 0) -> "JobExchange":
        """Create a job; `done` gets its answer when it has ended."""
        return JobExchange(self, request, done, not_before_ns)

    def note_unknown(self, word: str) -> None:
        """Show a state that is not known, the first time; such jobs are polled until their time limit."""
        if word not in self.unknown_words:
            self.unknown_words.add(word)
            self._remark(f"the server says that a job is {short(word)!r}, which is not a known state; polling goes on")

    async def close(self) -> None:
        """Close every connection."""
        await self.transport.close()


class JobExchange:
    """One job in progress: at any time at most one exchange or one poll timer is pending."""

    __slots__ = (
        "_deadline",
        "_done",
        "_ended",
        "_exchange",
        "_failures",
        "_flags",
        "_id",
        "_job",
        "_jobs",
        "_milestones",
        "_pending_body",
        "_pending_ns",
        "_poll_request",
        "_sent_ns",
        "_timer",
        "failed_polls",
    )

    def __init__(self, jobs: Jobs, request: Request, done: Callable[[Answer], None], not_before_ns: int) -> None:
        self._jobs, self._done, self._id = jobs, done, ""
        self._milestones = NO_JOB  # without `pending_ns`, which changes with every poll
        self._sent_ns = self._pending_ns = self._flags = 0
        self.failed_polls = self._failures = 0  # polls that were repeated: in all, and in a row
        self._ended = False  # on the server
        self._job: Job | None = None  # as of the last poll
        self._pending_body: bytes | None = None  # which said so
        self._timer: asyncio.TimerHandle | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._exchange: Exchange | None = None
        self._start(request, self._created, not_before_ns)

    @property
    def sent_ns(self) -> int:
        """When the creation was sent."""
        return self._sent_ns or (self._exchange.sent_ns if self._exchange else 0)

    @property
    def flags(self) -> int:
        """The flags of all its requests."""
        return self._flags | (self._exchange.flags if self._exchange else 0)

    @property
    def first_byte_ns(self) -> int:
        """First byte of the pending exchange; 0 before it and between two exchanges."""
        return self._exchange.first_byte_ns if self._exchange else 0

    @property
    def milestones(self) -> Milestones:
        """The milestones that the job has reached."""
        return self._milestones._replace(pending_ns=self._pending_ns)

    def abandon(self) -> None:
        """Give up, and delete the job on the server if its id is known."""
        self._sent_ns, self._flags = self.sent_ns, self.flags
        if self._exchange:
            self._exchange.abandon()
        self._clear_pending()
        self._jobs.loop.call_soon(self._delete)  # after the caller has taken its time

    def _clear_pending(self) -> None:
        """Drop the timers and the exchange. They refer back to this object, and garbage collection is off in a run."""
        for timer in (self._timer, self._deadline):
            if timer:
                timer.cancel()
        self._timer = self._deadline = self._exchange = None

    def _delete(self) -> None:
        if self._id:
            self._jobs.deletes.release(self._id, ended=self._ended)

    # The steps: each gets the answer of the one before.

    def _start(self, request: Request, then: Callable[[Answer], None], not_before_ns: int = 0) -> None:
        jobs = self._jobs
        self._exchange = jobs.transport.send(request, then, not_before_ns)
        if jobs.request_timeout_s is not None:
            self._deadline = jobs.loop.call_later(jobs.request_timeout_s, self._overdue)

    def _created(self, answer: Answer) -> None:
        self._sent_ns = answer.sent_ns
        if not self._succeeded(answer, _CREATED_STATUSES):
            return
        job = self._read(answer, None)
        if job.id:
            self._id, self._poll_request = job.id, self._jobs.backend.poll(job.id)
            self._milestones, self._pending_ns = Milestones(accepted_ns=answer.done_ns), answer.sent_ns
        self._next_step(job, answer, self._jobs.polling.first_s)

    def _poll(self) -> None:
        self._timer = None
        self._start(self._poll_request, self._polled)

    def _polled(self, answer: Answer) -> None:
        self._clear_pending()
        self._flags |= answer.flags
        if answer.error or answer.status != 200:
            return self._poll_failed(answer)
        self._failures = 0
        if answer.body == self._pending_body and self._job:  # the same bytes as last time, so no need to parse them
            job = self._job
        else:
            job = self._read(answer, self._id)
            self._pending_body = answer.body if isinstance(answer.body, bytes) else None
        if job.state not in _ENDED:
            self._pending_ns = answer.sent_ns
        return self._next_step(job, answer, self._jobs.polling.next_s)

    def _poll_failed(self, answer: Answer) -> None:
        """Poll again, unless the answer tells of a failed job or nothing else is to be expected."""
        if answer.status >= 400 and (job := self._failed_job(answer)):
            return self._next_step(job, answer, self._jobs.polling.next_s)
        is_transient = answer.error in _TRANSIENT_ERRORS if answer.error else _is_transient(answer)
        if not is_transient or self._failures >= self._jobs.options.poll_retries:
            return self._end(answer)
        self.failed_polls += 1
        self._failures += 1
        pause_s = self._jobs.polling.retry_s(answer.done_ns - self._sent_ns, self._failures)
        self._timer = self._jobs.loop.call_later(pause_s, self._poll)
        return None

    def _failed_job(self, answer: Answer) -> Job | None:
        """The job in the body of an HTTP error, as vLLM-Omni answers polls of failed jobs; None if it is no job.

        Errors of gateways have a status too: a body without the id of the job must say `failed`.
        """
        job = self._read(answer, self._id)
        if job.parsed.error is not ErrorKind.JOB_FAILED:
            return None
        return job if job.word == "failed" or self._read(answer, None).id == self._id else None

    def _next_step(self, job: Job, answer: Answer, pause_s: Callable[[int], float]) -> None:
        """Start the next step for a job in this state."""
        jobs, state = self._jobs, job.state
        if job is not self._job:
            self._take_state(job, answer)
        if state not in _ENDED:
            self._timer = jobs.loop.call_later(pause_s(answer.done_ns - self._sent_ns), self._poll)
        elif state is State.FAILED:
            self._end(answer._replace(polled=job.parsed))
        else:
            self._milestones = self._milestones._replace(completed_ns=answer.done_ns)
            jobs.polling.learn(answer.done_ns - self._sent_ns)
            if jobs.options.download:
                self._start(jobs.backend.content(self._id), lambda fetched: self._fetched(fetched, job.parsed))
            else:
                self._end(answer._replace(polled=job.parsed))

    def _take_state(self, job: Job, answer: Answer) -> None:
        """Note what a new answer says of the job, beside its end."""
        self._job = job
        self._ended = job.state is State.COMPLETED or job.parsed.error is ErrorKind.JOB_FAILED
        if job.state is State.RUNNING and not self._milestones.started_ns:
            self._milestones = self._milestones._replace(started_ns=answer.done_ns)
        elif job.state is State.UNKNOWN:
            self._jobs.note_unknown(job.word)

    def _fetched(self, answer: Answer, polled: ParsedAnswer) -> None:
        if self._succeeded(answer):
            self._milestones = self._milestones._replace(content_ns=answer.done_ns)
            self._end(answer._replace(polled=polled))

    def _succeeded(self, answer: Answer, statuses: Container[int] = (200,)) -> bool:
        """Whether an exchange returned a body to parse; if not, the job ends here."""
        self._clear_pending()
        self._flags |= answer.flags
        if answer.error or answer.status not in statuses:
            self._end(answer)
            return False
        return True

    def _read(self, answer: Answer, expected: str | None) -> Job:
        try:
            return self._jobs.backend.read_job(answer.body, expected)
        except Exception as error:  # only a plugin's backend raises
            return Job("", State.FAILED, ParsedAnswer(ErrorKind.CLIENT, f"{type(error).__name__}: {error}"))

    def _overdue(self) -> None:
        """A request of the job ran into its time limit: repeat it if it is a poll, else end the job as overdue."""
        is_poll = self._milestones.accepted_ns and not self._milestones.completed_ns
        self._sent_ns, self._flags, first_byte_ns = self.sent_ns, self.flags, self.first_byte_ns
        if self._exchange:
            self._exchange.abandon()
        self._clear_pending()
        answer = Answer(self._sent_ns, first_byte_ns, now_ns(), overdue=True)
        (self._poll_failed if is_poll else self._end)(answer)

    def _end(self, answer: Answer) -> None:
        """Deliver the answer, which returns the permit; then delete the job."""
        sent_ns = self._sent_ns or answer.sent_ns
        whole = answer._replace(sent_ns=sent_ns, flags=self._flags, milestones=self.milestones)
        self._done(whole._replace(failed_polls=self.failed_polls) if self.failed_polls else whole)
        self._delete()


def _is_transient(answer: Answer) -> bool:
    """Whether a poll without a good answer may have one the next time."""
    return answer.overdue or answer.status >= 500 or answer.status in _TRANSIENT_STATUSES
