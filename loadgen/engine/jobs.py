"""Jobs: a transport whose exchanges are asynchronous jobs, each created, polled, downloaded and deleted.

To the sender a job looks like any request: one request, one permit, one answer, when the job has ended.

    create ── accepted ──> poll ── "not yet" ──> poll ... ── "completed" ──> content ──> answer ──> DELETE
       └─ anything else ─────┴── "failed", anything else ───────────────────────┴──────> answer ──> DELETE

The answer returns the permit and ends the latencies; the DELETE is sent afterwards and is not measured.
"""

import asyncio
from collections.abc import Callable, Container
from typing import Final

from collector.records.record import ErrorKind
from loadgen.backends import Job, JobBackend, ParsedAnswer, Request, State
from loadgen.clock import now_ns
from loadgen.engine.polling import Polling
from loadgen.options import JobOptions
from loadgen.transport.interface import NO_JOB, Answer, Exchange, Milestones, Transport

DELETE_TIMEOUT_S: Final = 10.0  # time limit of a DELETE
DELETES_S: Final = 1.0  # time limit of the last DELETEs of a sender; the run loop waits 2 s for it
_PENDING: Final = Job("", State.PENDING)
_CREATED_STATUSES: Final = frozenset({200, 201, 202})  # statuses that create a job; all other requests need 200


class Jobs:
    """Runs jobs over another transport. `request_timeout_s` limits each of their requests; None: no limit."""

    def __init__(
        self,
        transport: Transport,
        backend: JobBackend,
        options: JobOptions,
        request_timeout_s: float | None,
        seed: str,
    ) -> None:
        self.transport, self.backend, self.options = transport, backend, options
        self.name, self.request_timeout_s = transport.name, request_timeout_s
        self.loop = asyncio.get_running_loop()
        self.polling = Polling(options.poll_interval_s, seed)
        self._pending_deletes, self._undeleted = 0, 0
        self._deletes_done = asyncio.Event()

    async def open(self, connections: int) -> int:
        """Open connections ahead of time; return how many are open."""
        return await self.transport.open(connections)

    def send(self, request: Request, done: Callable[[Answer], None], not_before_ns: int = 0) -> "JobExchange":
        """Create a job; `done` gets its answer when it has ended."""
        return JobExchange(self, request, done, not_before_ns)

    def delete(self, job_id: str) -> None:
        """Delete a job on the server, unless turned off; failures are only counted."""
        if not self.options.delete:
            return

        def done(answer: Answer) -> None:
            deadline.cancel()
            self._deleted(ok=not answer.error and 200 <= answer.status < 300)

        def overdue() -> None:
            exchange.abandon()
            self._deleted(ok=False)

        self._pending_deletes += 1
        exchange = self.transport.send(self.backend.delete(job_id), done)
        deadline = self.loop.call_later(DELETE_TIMEOUT_S, overdue)

    def _deleted(self, *, ok: bool) -> None:
        self._pending_deletes -= 1
        self._undeleted += not ok
        if not self._pending_deletes:
            self._deletes_done.set()

    async def finish_deletes(self) -> dict[str, int]:
        """Wait up to DELETES_S for pending DELETEs; return how many jobs could not be deleted."""
        self._deletes_done.clear()
        if self._pending_deletes:
            try:
                await asyncio.wait_for(self._deletes_done.wait(), DELETES_S)
            except TimeoutError:
                self._undeleted += self._pending_deletes
        return {"undeleted": self._undeleted}

    async def close(self) -> None:
        """Close every connection."""
        await self.transport.close()


class JobExchange:
    """One job in progress: at any time at most one exchange or one poll timer is pending."""

    __slots__ = (
        "_deadline",
        "_done",
        "_exchange",
        "_flags",
        "_id",
        "_jobs",
        "_milestones",
        "_pending_body",
        "_pending_ns",
        "_poll_request",
        "_sent_ns",
        "_timer",
    )

    def __init__(self, jobs: Jobs, request: Request, done: Callable[[Answer], None], not_before_ns: int) -> None:
        self._jobs, self._done, self._id = jobs, done, ""
        self._milestones = NO_JOB  # without `pending_ns`, which changes with every poll
        self._sent_ns = self._pending_ns = self._flags = 0
        self._pending_body: bytes | None = None
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
            self._jobs.delete(self._id)

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
        if not self._succeeded(answer):
            return
        known = answer.body == self._pending_body  # the same bytes as last time, so no need to parse them
        job = _PENDING if known else self._read(answer, self._id)
        if job.state is State.PENDING:
            self._pending_ns = answer.sent_ns
            self._pending_body = answer.body if isinstance(answer.body, bytes) else None
        self._next_step(job, answer, self._jobs.polling.next_s)

    def _next_step(self, job: Job, answer: Answer, pause_s: Callable[[int], float]) -> None:
        """Start the next step for a job in this state."""
        jobs = self._jobs
        if job.state is State.PENDING:
            self._timer = jobs.loop.call_later(pause_s(answer.done_ns - self._sent_ns), self._poll)
        elif job.state is State.FAILED:
            self._end(answer._replace(polled=job.parsed))
        else:
            self._milestones = self._milestones._replace(completed_ns=answer.done_ns)
            jobs.polling.learn(answer.done_ns - self._sent_ns)
            if jobs.options.download:
                self._start(jobs.backend.content(self._id), lambda fetched: self._fetched(fetched, job.parsed))
            else:
                self._end(answer._replace(polled=job.parsed))

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
        """A request of the job ran into its time limit: end the job as overdue."""
        self._sent_ns, first_byte_ns = self.sent_ns, self.first_byte_ns
        if self._exchange:
            self._exchange.abandon()
        self._clear_pending()
        self._end(Answer(self._sent_ns, first_byte_ns, now_ns(), overdue=True))

    def _end(self, answer: Answer) -> None:
        """Deliver the answer, which returns the permit; then delete the job."""
        sent_ns = self._sent_ns or answer.sent_ns
        self._done(answer._replace(sent_ns=sent_ns, flags=self._flags, milestones=self.milestones))
        self._delete()
