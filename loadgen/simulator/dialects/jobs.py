"""The video jobs API: create, poll, fetch, delete. A job's state follows from its start and finish times; no timers."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import orjson
from aiohttp import web

from loadgen.simulator.dialects import dynamo, videos
from loadgen.simulator.engine import answer
from loadgen.simulator.engine.answer import Payload
from loadgen.simulator.engine.engine import Engine, timings
from loadgen.simulator.engine.faults import Fault, inject
from loadgen.simulator.engine.generation import Generation, RefusalError
from loadgen.simulator.engine.profile import JobStatus, Profile
from loadgen.simulator.engine.request_log import LogEntry
from loadgen.simulator.servers.simulated import ANY

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_PATH: Final = "/v1/videos"
_MAX_JOBS: Final = 100_000  # the oldest one is dropped beyond that


@dataclass(frozen=True, slots=True)
class Job:
    """One job; it fails at its end with `error`, a status and a message, and never ends if it is stuck."""

    id: str
    generation: Generation
    entry: LogEntry
    created_s: int
    error: tuple[int, str] | None
    stuck: bool

    @property
    def state(self) -> str:
        """The state at this moment."""
        now_ns = time.monotonic_ns()
        if now_ns < self.entry.started_ns:
            return "queued"
        if now_ns < self.entry.finished_ns or self.stuck:
            return "in_progress"
        return "failed" if self.error else "completed"

    def status(self, state: str) -> JobStatus:
        """Return what the job's body is made of, in that state."""
        ended = state in ("completed", "failed")
        times = timings(self.entry, self.entry.finished_ns) if ended else None
        return JobStatus(self.id, state, self.generation, self.created_s, times, self.error if ended else None)


class Jobs:
    """The jobs of one server."""

    def __init__(self, engine: Engine, profile: Profile) -> None:
        self._engine = engine
        self._profile = profile
        self._jobs: dict[str, Job] = {}
        self._count = 0

    async def post(self, request: web.Request) -> web.StreamResponse:
        """Create a job."""
        return await self._engine.handle(request, self._create)

    def with_job(
        self, work: Callable[[Job], Awaitable[Payload]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Return the handler of a route to one job; it answers 404 if there is no such job."""

        async def handle(request: web.Request) -> web.StreamResponse:
            job = self._jobs.get(request.match_info["id"])
            if job is None:
                refused = self._engine.refusal(self._profile.no_job, 404)
                return await self._engine.send(request, LogEntry(time.monotonic_ns(), 0), refused)
            return await self._engine.send(request, job.entry, await work(job))

        return handle

    async def poll(self, job: Job) -> Payload:
        """Return the job's status; a client that sees its end takes it off the requests in flight."""
        job.entry.polls += 1
        status = self._status(job)
        if status.timings:
            self._finish(job.entry, 500 if status.error else 200)
        code = status.error[0] if status.error and self._profile.failed_job_is_error else 200
        return Payload(self._body(status), code)

    async def content(self, job: Job) -> Payload:
        """Return the video of a completed job."""
        if job.state == "completed":
            return Payload(answer.video(job.generation, self._engine.options), content_type="video/mp4")
        code, message = self._profile.failed_content if job.state == "failed" else self._profile.pending_content
        return self._engine.refusal(message, code)

    async def delete(self, job: Job) -> Payload:
        """Forget a job, and stop its work if the server does that."""
        status = self._status(job)
        if self._profile.aborts and not status.timings:
            await asyncio.sleep(self._engine.options.abort_ms / 1e3)
        self._drop(job)
        return Payload(orjson.dumps(self._profile.deleted(status, self._engine.options)))

    async def _create(self, entry: LogEntry, request: web.Request) -> Payload | None:
        async def receive(request: web.Request) -> Generation:
            return await videos.receive(request, self._profile)

        generation = await self._engine.read(entry, request, receive, "videos")
        fault = self._engine.faults.draw(generation.prompt)
        if isinstance(fault, int):
            raise RefusalError("injected by --http-errors", fault)
        if fault in (Fault.RESET, Fault.CUT, Fault.GARBAGE):
            inject(request, fault)
            return None
        answer.video(generation, self._engine.options)  # encoded now and cached, so that fetching it is fast
        self._engine.admit(entry, generation)
        job = self._add(generation, entry, fault)
        return Payload(self._body(job.status("queued")), in_progress=True)

    def _add(self, generation: Generation, entry: LogEntry, fault: Fault) -> Job:
        self._count += 1
        injected = (500, "injected by --fail-rate") if fault is Fault.FAIL else None
        error = injected or self._profile.failure("videos", self._engine.options)
        name = self._profile.job_id(self._count)
        job = Job(name, generation, entry, int(time.time()), error, fault is Fault.STALL)
        self._jobs[job.id] = job
        if len(self._jobs) > _MAX_JOBS:
            self._drop(next(iter(self._jobs.values())))
        return job

    def _status(self, job: Job) -> JobStatus:
        state = job.state
        return job.status("queued" if state == "in_progress" and not self._profile.shows_progress else state)

    def _body(self, status: JobStatus) -> bytes:
        return orjson.dumps(self._profile.job(status, self._engine.options))

    def _drop(self, job: Job) -> None:
        if self._jobs.pop(job.id, None) is None:
            return  # deleted twice at the same time
        if self._profile.aborts:
            self._engine.abort(job.entry)
        self._finish(job.entry, 499)

    def _finish(self, entry: LogEntry, status: int) -> None:
        """Take a job off the requests in flight, once."""
        if not entry.replied_ns:
            entry.mark_answered(status)
            self._engine.request_log.leave()


def _by_content_type(on_form: Handler, on_json: Handler) -> Handler:
    """Return a handler of both: a form creates a job, and JSON is answered once the video is ready, as by Dynamo."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await (on_json if request.content_type == "application/json" else on_form)(request)

    return handle


def add_routes(router: web.UrlDispatcher, engine: Engine, profile: Profile) -> None:
    """Add POST, GET and DELETE of jobs, and GET of their content."""
    jobs, path = Jobs(engine, profile), _PATH + "/{id}"
    router.add_post(_PATH, _by_content_type(jobs.post, dynamo.handler(engine)) if profile is ANY else jobs.post)
    router.add_get(path, jobs.with_job(jobs.poll))
    router.add_get(path + "/content", jobs.with_job(jobs.content))
    router.add_delete(path, jobs.with_job(jobs.delete))
