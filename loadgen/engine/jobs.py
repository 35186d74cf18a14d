"""Jobs: a transport whose exchanges are whole jobs, each created, polled, fetched and then deleted.

What sends requests need not know: one request, one permit, one answer, which comes when the job is over.

    create ── accepted ──> poll ── "not yet" ──> poll ... ── "completed" ──> content ──> answer ──> DELETE
       └─ anything else ─────┴── "failed", anything else ───────────────────────┴──────> answer ──> DELETE

The answer frees the permit and ends every latency; nobody waits for the DELETE.
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

DELETE_S: Final = 10.0  # then a DELETE is given up
SETTLE_S: Final = 1.0  # the last ones of a sender may take this long; a course waits 2 s for it
_STILL_PENDING: Final = Job("", State.PENDING)
_GOOD: Final = frozenset({200, 201, 202})  # of a creation; anything else is good with 200


class Jobs:
    """Carries jobs over another transport. `request_timeout_s` is for each of their requests, None: never."""

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
        self._deleting, self._undeleted = 0, 0
        self._settled = asyncio.Event()

    async def open(self, connections: int) -> int:
        """Open connections ahead of time."""
        return await self.transport.open(connections)

    def send(self, request: Request, done: Callable[[Answer], None], not_before_ns: int = 0) -> "JobExchange":
        """Create a job; `done` gets its answer once it is over."""
        return JobExchange(self, request, done, not_before_ns)

    def delete(self, job_id: str) -> None:
        """Have the server forget a job, if that is wanted; how that goes is only counted."""
        if not self.options.delete:
            return

        def done(answer: Answer) -> None:
            deadline.cancel()
            self._deleted(well=not answer.error and 200 <= answer.status < 300)

        def overdue() -> None:
            exchange.abandon()
            self._deleted(well=False)

        self._deleting += 1
        exchange = self.transport.send(self.backend.delete(job_id), done)
        deadline = self.loop.call_later(DELETE_S, overdue)

    def _deleted(self, *, well: bool) -> None:
        self._deleting -= 1
        self._undeleted += not well
        if not self._deleting:
            self._settled.set()

    async def settle(self) -> dict[str, int]:
        """Wait a little for DELETEs that are on their way; return how many jobs could not be deleted."""
        self._settled.clear()
        if self._deleting:
            try:
                await asyncio.wait_for(self._settled.wait(), SETTLE_S)
            except TimeoutError:
                self._undeleted += self._deleting
        return {"undeleted": self._undeleted}

    async def close(self) -> None:
        """Close every connection."""
        await self.transport.close()


class JobExchange:
    """One job on its way: at most one exchange or one timer of it is pending at any time."""

    __slots__ = (
        "_deadline",
        "_done",
        "_exchange",
        "_flags",
        "_id",
        "_jobs",
        "_pending_body",
        "_pending_ns",
        "_poll_request",
        "_reached",
        "_sent_ns",
        "_timer",
    )

    def __init__(self, jobs: Jobs, request: Request, done: Callable[[Answer], None], not_before_ns: int) -> None:
        self._jobs, self._done, self._id = jobs, done, ""
        self._reached = NO_JOB  # its `pending_ns` changes with every poll and is kept apart
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
        """Those of all its requests."""
        return self._flags | (self._exchange.flags if self._exchange else 0)

    @property
    def first_byte_ns(self) -> int:
        """When something came of the exchange that is pending, 0 before that and between two."""
        return self._exchange.first_byte_ns if self._exchange else 0

    @property
    def milestones(self) -> Milestones:
        """How far the job came."""
        return self._reached._replace(pending_ns=self._pending_ns)

    def abandon(self) -> None:
        """Give the job up, and have the server forget it where its id is known already."""
        self._sent_ns, self._flags = self.sent_ns, self.flags
        if self._exchange:
            self._exchange.abandon()
        self._stop()
        self._jobs.loop.call_soon(self._forget)  # after whoever gives up has stamped that

    def _stop(self) -> None:
        """Let go of what is pending, which knows us too: nobody collects cycles during a run."""
        for timer in (self._timer, self._deadline):
            if timer:
                timer.cancel()
        self._timer = self._deadline = self._exchange = None

    def _forget(self) -> None:
        if self._id:
            self._jobs.delete(self._id)

    # The steps: each is called with the answer to the one before.

    def _start(self, request: Request, then: Callable[[Answer], None], not_before_ns: int = 0) -> None:
        jobs = self._jobs
        self._exchange = jobs.transport.send(request, then, not_before_ns)
        if jobs.request_timeout_s is not None:
            self._deadline = jobs.loop.call_later(jobs.request_timeout_s, self._overdue)

    def _created(self, answer: Answer) -> None:
        self._sent_ns = answer.sent_ns
        if not self._ended_well(answer, _GOOD):
            return
        job = self._read(answer, None)
        if job.id:
            self._id, self._poll_request = job.id, self._jobs.backend.poll(job.id)
            self._reached, self._pending_ns = Milestones(accepted_ns=answer.done_ns), answer.sent_ns
        self._follow(job, answer, self._jobs.polling.first_s)

    def _poll(self) -> None:
        self._timer = None
        self._start(self._poll_request, self._polled)

    def _polled(self, answer: Answer) -> None:
        if not self._ended_well(answer):
            return
        known = answer.body == self._pending_body  # word for word what it said before, so it means the same
        job = _STILL_PENDING if known else self._read(answer, self._id)
        if job.state is State.PENDING:
            self._pending_ns = answer.sent_ns
            self._pending_body = answer.body if isinstance(answer.body, bytes) else None
        self._follow(job, answer, self._jobs.polling.next_s)

    def _follow(self, job: Job, answer: Answer, pause_s: Callable[[int], float]) -> None:
        """Do what comes next for a job in this state."""
        jobs = self._jobs
        if job.state is State.PENDING:
            self._timer = jobs.loop.call_later(pause_s(answer.done_ns - self._sent_ns), self._poll)
        elif job.state is State.FAILED:
            self._end(answer._replace(told=job.parsed))
        else:
            self._reached = self._reached._replace(completed_ns=answer.done_ns)
            jobs.polling.learn(answer.done_ns - self._sent_ns)
            if jobs.options.download:
                self._start(jobs.backend.content(self._id), lambda fetched: self._fetched(fetched, job.parsed))
            else:
                self._end(answer._replace(told=job.parsed))

    def _fetched(self, answer: Answer, told: ParsedAnswer) -> None:
        if self._ended_well(answer):
            self._reached = self._reached._replace(content_ns=answer.done_ns)
            self._end(answer._replace(told=told))

    def _ended_well(self, answer: Answer, good: Container[int] = (200,)) -> bool:
        """Whether an exchange brought something to read; the job is over if not."""
        self._stop()
        self._flags |= answer.flags
        if answer.error or answer.status not in good:
            self._end(answer)
            return False
        return True

    def _read(self, answer: Answer, expected: str | None) -> Job:
        try:
            return self._jobs.backend.read_job(answer.body, expected)
        except Exception as error:  # an endpoint of others; ours never raises
            return Job("", State.FAILED, ParsedAnswer(ErrorKind.CLIENT, f"{type(error).__name__}: {error}"))

    def _overdue(self) -> None:
        """One request took too long: so does the job, for all that we know."""
        self._sent_ns, first_byte_ns = self.sent_ns, self.first_byte_ns
        if self._exchange:
            self._exchange.abandon()
        self._stop()
        self._end(Answer(self._sent_ns, first_byte_ns, now_ns(), overdue=True))

    def _end(self, answer: Answer) -> None:
        """Hand the answer over, then, with the permit passed on, have the job deleted."""
        sent_ns = self._sent_ns or answer.sent_ns
        self._done(answer._replace(sent_ns=sent_ns, flags=self._flags, milestones=self.milestones))
        self._forget()
