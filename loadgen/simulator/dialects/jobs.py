"""Video jobs: created, looked at, fetched, deleted. No clockwork: a job's state follows from its two instants."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import orjson
from aiohttp import web

from loadgen.simulator.dialects import videos
from loadgen.simulator.engine import answer
from loadgen.simulator.engine.answer import Payload
from loadgen.simulator.engine.engine import Engine, served
from loadgen.simulator.engine.faults import Fault, spoil
from loadgen.simulator.engine.generation import Generation, RefusalError
from loadgen.simulator.engine.journal import Visit

_KEPT: Final = 100_000  # jobs; older ones are forgotten


@dataclass(frozen=True, slots=True)
class Job:
    """One job. `fate` is FAIL for one that will fail, STALL for one that never ends."""

    number: int
    asked: Generation
    visit: Visit
    fate: Fault | int

    @property
    def id(self) -> str:
        """What clients call it."""
        return f"video_{self.number:08d}"

    @property
    def state(self) -> str:
        """What it is at this moment."""
        now_ns = time.monotonic_ns()
        if now_ns < self.visit.started_ns:
            return "queued"
        if now_ns < self.visit.finished_ns or self.fate is Fault.STALL:
            return "in_progress"
        return "failed" if self.fate is Fault.FAIL else "completed"

    def described(self, state: str) -> dict[str, object]:
        """Return what a poll tells of it in that state."""
        size = f"{self.asked.width}x{self.asked.height}"
        told: dict[str, object] = {"id": self.id, "object": "video", "status": state, "size": size}
        if state == "failed":
            told["error"] = {"code": "generation_failed", "message": "injected by --fail-rate"}
        if state == "completed":
            told["stage_durations"] = served(self.visit, self.visit.finished_ns).stages()
            told["peak_memory_mb"] = answer.peak_memory_mb(self.asked)
        return told


class Jobs:
    """The jobs of one server, and the routes to them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._jobs: dict[str, Job] = {}
        self._count = 0

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add what WIRE.md says of videos."""
        place = videos.jobs + "/{id}"
        router.add_post(videos.jobs, self._post)
        router.add_get(place, self._known(self._poll))
        router.add_get(place + "/content", self._known(self._content))
        router.add_delete(place, self._known(self._delete))

    async def _post(self, request: web.Request) -> web.StreamResponse:
        return await self._engine.host(request, self._create)

    async def _create(self, visit: Visit, request: web.Request) -> Payload | None:
        asked = await self._engine.read(visit, request, videos.receive)
        fate = self._engine.faults.draw()
        if isinstance(fate, int):
            raise RefusalError("injected by --http-errors", fate)
        if fate in (Fault.RESET, Fault.CUT, Fault.GARBAGE):
            spoil(request, fate)
            return None
        answer.video(asked, self._engine.options)  # made now, so that fetching it costs no time
        self._engine.admit(visit, asked)
        job = self._add(asked, visit, fate)
        return Payload(orjson.dumps(job.described("queued")), stays=True)

    def _add(self, asked: Generation, visit: Visit, fate: Fault) -> Job:
        self._count += 1
        job = Job(self._count, asked, visit, fate)
        self._jobs[job.id] = job
        if len(self._jobs) > _KEPT:
            self._forget(next(iter(self._jobs.values())))
        return job

    def _known(self, work: Callable[[Job], Payload]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            job = self._jobs.get(request.match_info["id"])
            if job is None:
                refused = answer.refusal("no such video", 404)
                return await self._engine.send(request, Visit(time.monotonic_ns(), 0), refused)
            return await self._engine.send(request, job.visit, work(job))

        return handle

    def _poll(self, job: Job) -> Payload:
        job.visit.polls += 1
        state = job.state
        if state in ("completed", "failed"):
            self._leave(job.visit, 200 if state == "completed" else 500)
        return Payload(orjson.dumps(job.described(state)))

    def _content(self, job: Job) -> Payload:
        if (state := job.state) != "completed":
            return answer.refusal(f"the video is {state}", 409)
        return Payload(answer.video(job.asked, self._engine.options), content_type="video/mp4")

    def _delete(self, job: Job) -> Payload:
        self._forget(job)
        return Payload(orjson.dumps({"id": job.id, "object": "video.deleted", "deleted": True}))

    def _forget(self, job: Job) -> None:
        del self._jobs[job.id]
        self._leave(job.visit, 499)

    def _leave(self, visit: Visit, status: int) -> None:
        """Count a job out, once."""
        if not visit.replied_ns:
            visit.reply(status)
            self._engine.journal.leave()
