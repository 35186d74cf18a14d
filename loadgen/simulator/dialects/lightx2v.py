"""The tasks of LightX2V: create, poll, fetch, cancel. As in its newest version, unknown fields are rejected.

A task without `save_result_path` has no result to fetch, and a cancelled one is still known.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson
from aiohttp import web

from loadgen.simulator.engine import answer
from loadgen.simulator.engine.answer import Payload
from loadgen.simulator.engine.engine import Engine
from loadgen.simulator.engine.faults import Fault, inject
from loadgen.simulator.engine.generation import Generation, RefusalError, generation, json_fields, require
from loadgen.simulator.engine.profile import Profile
from loadgen.simulator.engine.request_log import LogEntry

VIDEO, IMAGE = "/v1/tasks/video/", "/v1/tasks/image/"
_TASK: Final = "/v1/tasks/{id}"
_COMMON: Final = frozenset(
    {"task_id", "task", "prompt", "negative_prompt", "image_path", "last_frame_path", "image_mask_path"}
    | {"save_result_path", "presigned_url", "seed", "reuse", "size", "lora_name", "lora_strength"}
)
_FIELDS: Final = {
    VIDEO: _COMMON | {"num_frames", "video_path", "audio_path", "video_duration", "sr_ratio", "ref_image_paths"},
    IMAGE: _COMMON | {"aspect_ratio", "sr_ratio", "i2i_denoise_strength"},
}


@dataclass(slots=True)
class Task:
    """One task. `fault` FAIL makes it fail, STALL keeps it processing for ever."""

    id: str
    generation: Generation
    entry: LogEntry
    fault: Fault | int
    is_video: bool
    saved_as: str | None
    is_cancelled: bool = False

    @property
    def state(self) -> str:
        """The status at this moment."""
        now_ns = time.monotonic_ns()
        if self.is_cancelled:
            return "cancelled"
        if now_ns < self.entry.started_ns:
            return "pending"
        if now_ns < self.entry.finished_ns or self.fault is Fault.STALL:
            return "processing"
        return "failed" if self.fault is Fault.FAIL else "completed"


def parse(body: bytes, path: str) -> tuple[Generation, dict[str, Any]]:
    """Parse the body of a creation at `path`; RefusalError with status 422 for what the schema rejects."""
    fields = json_fields(body)
    if unknown := sorted(fields.keys() - _FIELDS[path]):
        raise RefusalError(f"body.{unknown[0]}: Extra inputs are not permitted", 422)
    size = fields.get("size") or []
    require(isinstance(size, list) and len(size) in (0, 2), "size must be [height, width]")
    sides = dict(zip(("height", "width"), size, strict=False))
    own = {**sides, "num_frames": fields.get("num_frames"), "seed": fields.get("seed")}
    return generation(fields.get("prompt", ""), own), fields


class Tasks:
    """The tasks of one server, and the routes to them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tasks: dict[str, Task] = {}

    async def post(self, request: web.Request) -> web.StreamResponse:
        """Create a task."""
        return await self._engine.handle(request, self._create)

    async def _create(self, entry: LogEntry, request: web.Request) -> Payload | None:
        asked, fields = parse(await request.read(), request.path)
        generation = await self._engine.read(entry, request, lambda _: _ready(asked))
        fault = self._engine.faults.draw(generation.prompt)
        if isinstance(fault, int):
            raise RefusalError("injected by --http-errors", fault)
        if fault in (Fault.RESET, Fault.CUT, Fault.GARBAGE):
            inject(request, fault)
            return None
        self._engine.admit(entry, generation)
        saved_as = fields.get("save_result_path")
        task = Task(f"task-{len(self._tasks) + 1:08d}", generation, entry, fault, request.path == VIDEO, saved_as)
        self._tasks[task.id] = task
        created = {"task_id": task.id, "task_status": "pending", "save_result_path": saved_as}
        return Payload(orjson.dumps(created), in_progress=True)

    def with_task(self, work: Callable[[Task], Payload]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Return the handler of a route to one task; it answers 404 if there is no such task."""

        async def handle(request: web.Request) -> web.StreamResponse:
            task = self._tasks.get(request.match_info["id"])
            if task is None:
                return await self._engine.send(
                    request, LogEntry(time.monotonic_ns(), 0), _refusal("Task not found", 404)
                )
            return await self._engine.send(request, task.entry, work(task))

        return handle

    def status(self, task: Task) -> Payload:
        """Return the status; a client that sees the end takes the task off the requests in flight."""
        task.entry.polls += 1
        state = task.state
        if state in ("completed", "failed"):
            self._finish(task.entry, 200 if state == "completed" else 500)
        error = "injected by --fail-rate" if state == "failed" else None
        return Payload(
            orjson.dumps({"task_id": task.id, "status": state, "error": error, "save_result_path": task.saved_as})
        )

    def result(self, task: Task) -> Payload:
        """Return the file of a completed task."""
        if task.state != "completed":
            return _refusal("Task not completed", 404)
        if not task.saved_as:
            return _refusal("Task result file does not exist", 404)
        options = self._engine.options
        if task.is_video:
            return Payload(answer.video(task.generation, options), content_type="video/mp4")
        return Payload(answer.image(task.generation, options), content_type="image/png")

    def delete(self, task: Task) -> Payload:
        """Cancel a task that has not ended."""
        if task.state not in ("pending", "processing"):
            told = {"stop_status": "do_nothing", "reason": "Task not found or already completed."}
            return Payload(orjson.dumps(told))
        task.is_cancelled = True
        self._engine.abort(task.entry)
        self._finish(task.entry, 499)
        return Payload(orjson.dumps({"stop_status": "success", "reason": "Task stopped successfully."}))

    async def service(self, _: web.Request) -> web.Response:
        """Return the status of the server."""
        running, waiting = self._engine.occupancy()
        told = {"service_status": "busy" if running else "idle", "active_tasks": running, "pending_tasks": waiting}
        return web.Response(body=orjson.dumps(told), content_type="application/json")

    def _finish(self, entry: LogEntry, status: int) -> None:
        """Take a task off the requests in flight, once."""
        if not entry.replied_ns:
            entry.mark_answered(status)
            self._engine.request_log.leave()


def add_routes(router: web.UrlDispatcher, engine: Engine, _: Profile) -> None:
    """Add POST of both kinds of task, GET and DELETE of one, and the status of the server."""
    tasks = Tasks(engine)
    for path in (VIDEO, IMAGE):
        router.add_post(path, tasks.post)
    router.add_get(_TASK + "/status", tasks.with_task(tasks.status))
    router.add_get(_TASK + "/result", tasks.with_task(tasks.result))
    router.add_delete(_TASK, tasks.with_task(tasks.delete))
    router.add_get("/v1/service/status", tasks.service)


async def _ready(generation: Generation) -> Generation:
    return generation


def _refusal(message: str, status: int) -> Payload:
    return Payload(orjson.dumps({"detail": message}), status)
