"""The end of jobs on the server: deletes them, and waits for those that a DELETE would leave running."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from collector.records.record import ErrorKind
from loadgen.backends import JobBackend, State
from loadgen.bodies.job_status import stops_work
from loadgen.options import JobOptions
from loadgen.transport.interface import Answer, Exchange, Transport

DELETE_TIMEOUT_S: Final = 10.0  # of one job, with the repetitions of its DELETE
RETRY_S: Final = 0.5  # until a DELETE is repeated, if the server is still cancelling the job
WATCH_S: Final = 900.0  # how long to wait for unfinished jobs without --video-job-timeout
WATCH_INTERVAL_S: Final = 0.25  # between polls of an unfinished job
_GONE: Final = (404, 410)  # answers to a DELETE or a poll of a job that the server does not know any more
_CANCELLING: Final = 409  # Conflict: the server is still cancelling the job


class JobDeletes:
    """Deletes jobs, off every latency. With `wait_for_jobs`, unfinished jobs that would go on are kept for `finish`."""

    def __init__(self, transport: Transport, backend: JobBackend, options: JobOptions) -> None:
        self.transport, self.backend, self._options = transport, backend, options
        self.loop = asyncio.get_running_loop()
        self._stops_work: bool | None = getattr(backend, "delete_stops_work", None)  # None: not known yet
        self._watch_s = options.timeout_s or WATCH_S
        self._unfinished: list[str] = []
        self._pending = self._undeleted = self._deleting = 0
        self._settled = asyncio.Event()
        self._skipped = False

    def release(self, job_id: str, *, ended: bool) -> None:
        """Delete a job that is over for its sender; `ended` says whether it is over for the server too."""
        if self._options.wait_for_jobs and not ended and not (self._options.delete and self._stops_work):
            self._unfinished.append(job_id)
        elif self._options.delete:
            self._pending += 1
            Deletion(self, job_id)

    def answered(self, answer: Answer) -> None:
        """Count the final answer to a DELETE, and learn from it what a DELETE does."""
        succeeded = not answer.error and (200 <= answer.status < 300 or answer.status in _GONE)
        if self._stops_work is None and succeeded:
            self._stops_work = stops_work(answer.body)
        self._undeleted += not succeeded
        self._end_one()

    def overdue(self) -> None:
        """Count a job that the server has not finished deleting in time."""
        self._deleting += 1
        self._end_one()

    def _end_one(self) -> None:
        self._pending -= 1
        if not self._pending:
            self._settled.set()

    @property
    def waiting(self) -> dict[str, int]:
        """What `finish` would wait for: jobs that are being deleted, and unfinished ones."""
        return {"deletes": self._pending, "jobs": len(self._unfinished)}

    @property
    def limit_s(self) -> float:
        """How long `finish` may take, in seconds."""
        return DELETE_TIMEOUT_S + (self._watch_s + DELETE_TIMEOUT_S if self._unfinished else 0.0)

    def skip(self) -> None:
        """Stop waiting."""
        self._skipped = True
        self._settled.set()

    async def finish(self) -> dict[str, int]:
        """Wait for unfinished jobs, delete them, and wait for pending DELETEs; return how many jobs remain, and why."""
        await self._watch_all()
        if self._pending and not self._skipped:
            self._settled.clear()
            await self._settled.wait()
        return {
            "undeleted": self._undeleted,
            "deleting": self._deleting + self._pending,
            "unfinished": len(self._unfinished),
        }

    async def _watch_all(self) -> None:
        """Wait until each unfinished job has ended, up to the time limit of a job; those that can be stopped are."""
        end_s = self.loop.time() + self._watch_s
        while self._unfinished and not self._skipped and self.loop.time() < end_s:
            job_id = self._unfinished[0]
            if self._stops_work and self._options.delete:
                ended = False
            elif not (ended := await self._has_ended(job_id)):
                await asyncio.sleep(WATCH_INTERVAL_S)
                continue
            self._unfinished.remove(job_id)
            self.release(job_id, ended=ended)

    async def _has_ended(self, job_id: str) -> bool:
        """Poll once."""
        answered: asyncio.Future[bool] = self.loop.create_future()

        def done(answer: Answer) -> None:
            if not answered.done():
                answered.set_result(self._is_end(answer, job_id))

        exchange = self.transport.send(self.backend.poll(job_id), done)
        try:
            return await asyncio.wait_for(answered, DELETE_TIMEOUT_S)
        except TimeoutError:
            exchange.abandon()
            return False

    def _is_end(self, answer: Answer, job_id: str) -> bool:
        if answer.error or answer.status in _GONE:
            return answer.status in _GONE
        job = self.backend.read_job(answer.body, job_id)
        if answer.status == 200:
            return job.state in (State.COMPLETED, State.FAILED)
        return job.parsed.error is ErrorKind.JOB_FAILED


class Deletion:
    """The deletion of one job: its DELETE is repeated while the server is still cancelling."""

    __slots__ = ("_deadline", "_deletes", "_exchange", "_job_id", "_timer")

    def __init__(self, deletes: JobDeletes, job_id: str) -> None:
        self._deletes, self._job_id = deletes, job_id
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = deletes.loop.call_later(DELETE_TIMEOUT_S, self._overdue)
        self._exchange: Exchange | None = None
        self._send()

    def _send(self) -> None:
        self._timer = None
        self._exchange = self._deletes.transport.send(self._deletes.backend.delete(self._job_id), self._answered)

    def _answered(self, answer: Answer) -> None:
        self._exchange = None
        if not answer.error and answer.status == _CANCELLING:
            self._timer = self._deletes.loop.call_later(RETRY_S, self._send)
            return
        self._deadline.cancel()
        self._deletes.answered(answer)

    def _overdue(self) -> None:
        if self._exchange:
            self._exchange.abandon()
            self._exchange = None
        if self._timer:
            self._timer.cancel()
        self._deletes.overdue()


def total(deletes: Sequence[Mapping[str, int]]) -> dict[str, Any]:
    """Add up the counts of several transports."""
    return {key: sum(each[key] for each in deletes) for key in deletes[0]} if deletes else {}
