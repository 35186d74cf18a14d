"""The video jobs API: create, poll, fetch, delete. A job's state follows from its start and finish times; no timers."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import orjson
from aiohttp import web

from loadgen.simulator.dialects import videos
from loadgen.simulator.engine import answer
from loadgen.simulator.engine.answer import Payload
from loadgen.simulator.engine.engine import Engine, timings
from loadgen.simulator.engine.faults import Fault, inject
from loadgen.simulator.engine.generation import Generation, RefusalError
from loadgen.simulator.engine.request_log import LogEntry

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_MAX_JOBS: Final = 100_000  # the oldest one is dropped beyond that


@dataclass(frozen=True, slots=True)
class Job:
    """One job. `fault` FAIL makes it fail, STALL keeps it in progress for ever."""

    number: int
    generation: Generation
    entry: LogEntry
    fault: Fault | int

    @property
    def id(self) -> str:
        """The id that clients use."""
        return f"video_{self.number:08d}"

    @property
    def state(self) -> str:
        """The status at this moment."""
        now_ns = time.monotonic_ns()
        if now_ns < self.entry.started_ns:
            return "queued"
        if now_ns < self.entry.finished_ns or self.fault is Fault.STALL:
            return "in_progress"
        return "failed" if self.fault is Fault.FAIL else "completed"

    def to_json(self, state: str) -> dict[str, object]:
        """Return the JSON object that describes the job in that state."""
        size = f"{self.generation.width}x{self.generation.height}"
        status: dict[str, object] = {"id": self.id, "object": "video", "status": state, "size": size}
        if state == "failed":
            status["error"] = {"code": "generation_failed", "message": "injected by --fail-rate"}
        if state == "completed":
            status["stage_durations"] = timings(self.entry, self.entry.finished_ns).stages()
            status["peak_memory_mb"] = answer.peak_memory_mb(self.generation)
        return status


class Jobs:
    """The jobs of one server, and the routes to them; `on_json` takes the creations that are not forms."""

    def __init__(self, engine: Engine, on_json: Handler) -> None:
        self._engine, self._on_json = engine, on_json
        self._jobs: dict[str, Job] = {}
        self._count = 0

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add POST, GET and DELETE of jobs, and GET of their content."""
        path = videos.jobs + "/{id}"
        router.add_post(videos.jobs, self._post)
        router.add_get(path, self._with_job(self._poll))
        router.add_get(path + "/content", self._with_job(self._content))
        router.add_delete(path, self._with_job(self._delete))

    async def _post(self, request: web.Request) -> web.StreamResponse:
        if request.content_type == "application/json":
            return await self._on_json(request)
        return await self._engine.handle(request, self._create)

    async def _create(self, entry: LogEntry, request: web.Request) -> Payload | None:
        generation = await self._engine.read(entry, request, videos.receive)
        fault = self._engine.faults.draw()
        if isinstance(fault, int):
            raise RefusalError("injected by --http-errors", fault)
        if fault in (Fault.RESET, Fault.CUT, Fault.GARBAGE):
            inject(request, fault)
            return None
        answer.video(generation, self._engine.options)  # encoded now and cached, so that fetching it is fast
        self._engine.admit(entry, generation)
        job = self._add(generation, entry, fault)
        return Payload(orjson.dumps(job.to_json("queued")), in_progress=True)

    def _add(self, generation: Generation, entry: LogEntry, fault: Fault) -> Job:
        self._count += 1
        job = Job(self._count, generation, entry, fault)
        self._jobs[job.id] = job
        if len(self._jobs) > _MAX_JOBS:
            self._drop(next(iter(self._jobs.values())))
        return job

    def _with_job(self, work: Callable[[Job], Payload]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            job = self._jobs.get(request.match_info["id"])
            if job is None:
                refused = answer.refusal("no such video", 404)
                return await self._engine.send(request, LogEntry(time.monotonic_ns(), 0), refused)
            return await self._engine.send(request, job.entry, work(job))

        return handle

    def _poll(self, job: Job) -> Payload:
        job.entry.polls += 1
        state = job.state
        if state in ("completed", "failed"):
            self._finish(job.entry, 200 if state == "completed" else 500)
        return Payload(orjson.dumps(job.to_json(state)))

    def _content(self, job: Job) -> Payload:
        if (state := job.state) != "completed":
            return answer.refusal(f"the video is {state}", 409)
        return Payload(answer.video(job.generation, self._engine.options), content_type="video/mp4")

    def _delete(self, job: Job) -> Payload:
        state = job.state
        self._drop(job)
        if self._engine.options.delete == "forgets":
            return Payload(orjson.dumps(job.to_json("deleted")))
        if state in ("queued", "in_progress"):
            self._engine.abort(job.entry)
        return Payload(orjson.dumps({"id": job.id, "object": "video.deleted", "deleted": True}))

    def _drop(self, job: Job) -> None:
        del self._jobs[job.id]
        self._finish(job.entry, 499)

    def _finish(self, entry: LogEntry, status: int) -> None:
        """Take a job off the requests in flight, once."""
        if not entry.replied_ns:
            entry.mark_answered(status)
            self._engine.request_log.leave()
