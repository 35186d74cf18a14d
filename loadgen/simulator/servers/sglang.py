"""The profile of SGLang 0.5.23: answers, errors, job states and refusals as its own HTTP layer gives them."""

import uuid
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import orjson

from loadgen.simulator.engine import answer
from loadgen.simulator.engine.answer import Payload, PayloadBuilder, Timings
from loadgen.simulator.engine.generation import Generation
from loadgen.simulator.engine.options import SimulatorOptions
from loadgen.simulator.engine.profile import JobStatus, Profile

_TASKS: Final[Mapping[str, str]] = MappingProxyType({"image": "T2I", "edit": "I2I", "video": "T2V"})
_FPS: Final = 24


def error(message: str, status: int) -> Payload:
    """Return an error; one of the engine is plain text that hides its message."""
    if status >= 500 and status != 503:
        return Payload(b"Internal Server Error", status, content_type="text/plain")
    return Payload(orjson.dumps({"detail": message}), status)


def model_entry(options: SimulatorOptions) -> dict[str, object]:
    """Return the model's entry in /v1/models, which tells its task."""
    task = _TASKS[options.kind]
    card = {"id": options.model, "object": "model", "created": 0, "owned_by": "sglang", "root": options.model}
    return {**card, "num_gpus": 1, "task_type": task, "supported_task_types": [task]}


def images(generation: Generation, options: SimulatorOptions) -> PayloadBuilder:
    """Prepare the answer to a generation or an edit of images: JPEG, in base64 or below a path of this server."""
    kind = str(generation.fields.get("output_format") or "jpeg")
    encoded = answer.text("", answer.image(generation, options, kind))
    by_url = generation.fields["response_format"] == "url"
    path = f"/outputs/{answer.image_name(generation, kind)}"
    common = {"revised_prompt": generation.prompt, "file_path": path, "resize": None}

    def build(timings: Timings) -> Payload:
        name = answer.image_name(generation, kind)
        paths = [
            f"/v1/images/{name}/content" + (f"?variant={i}" if generation.n > 1 else "") for i in range(generation.n)
        ]
        data = [{"b64_json": None if by_url else encoded, "url": path if by_url else None, **common} for path in paths]
        figures = {"peak_memory_mb": answer.peak_memory_mb(generation), "inference_time_s": timings.service_s}
        return Payload(orjson.dumps({"id": name, "created": 0, "data": data, **figures, "usage": None}))

    return build


def job(status: JobStatus, options: SimulatorOptions) -> dict[str, object]:
    """Return the body that describes a job, whose `size` stays the one asked for."""
    generation, fields = status.generation, status.generation.fields
    made = status.timings is not None and status.error is None
    fps = fields.get("fps") or _FPS
    path = f"/outputs/{status.id}.mp4"
    return {
        "id": status.id,
        "object": "video",
        "model": fields.get("model") or options.model,
        "status": status.state,
        "progress": 100 if made else 0,
        "created_at": status.created_s,
        "size": f"{fields.get('width')}x{fields.get('height')}",
        "seconds": str(round(generation.frames / fps)) if isinstance(fps, int | float) else None,
        "quality": "standard",
        **dict.fromkeys(("url", "remixed_from_video_id", "expires_at", "revised_prompt", "action", "lidar")),
        "urls": [None] * generation.n if made else None,
        "completed_at": status.created_s + round(status.timings.total_s) if made and status.timings else None,
        "error": {"message": status.error[1]} if status.error else None,
        "file_path": None if status.error else path,
        "file_paths": [path] * generation.n if made else None,
        "num_outputs": generation.n if made else None,
        "peak_memory_mb": answer.peak_memory_mb(generation) if made else None,
        "inference_time_s": status.timings.service_s if made and status.timings else None,
    }


def deleted(status: JobStatus, options: SimulatorOptions) -> Mapping[str, object]:
    """Return the answer to a DELETE: the job as it was, but for its state."""
    return {**job(status, options), "status": "deleted"}


def _no_output(kind: str, task: str) -> tuple[int, str]:
    return 400, f"This pipeline does not support {kind} output; supported task types: ['{task}']"


_NO_PICTURE: Final = "Served model with task type 'I2I' requires an 'image_path' input, but none was provided"

SGLANG: Final = Profile(
    name="sglang-0.5.23",
    dialects=("models", "images", "jobs"),
    error=error,
    model_entry=model_entry,
    completion=answer.completion,
    images=images,
    job=job,
    job_id=lambda number: str(uuid.UUID(int=number)),
    deleted=deleted,
    health={"status": "ok"},
    models={"image": "Qwen/Qwen-Image", "edit": "Qwen/Qwen-Image-Edit", "video": "Wan-AI/Wan2.1-T2V-1.3B-Diffusers"},
    lists_paths=True,
    model_info=True,
    align=16,
    video_defaults={"width": 832, "height": 480},
    frames_by_seconds=True,
    url_format=True,
    generations_format="url",
    most_images=10,
    clamps_images=True,
    video_files=True,
    json_jobs=True,
    shows_progress=False,
    pending_content=(404, "Generation is still in-progress"),
    failed_content=(404, "Video variant None not found"),
    no_picture_status=422,
    no_job="Video not found",
    wrong_kind={
        ("generations", "edit"): (400, _NO_PICTURE),
        ("generations", "video"): _no_output("IMAGE", "T2V"),
        ("edits", "image"): (400, "input_reference is not supported for T2I models."),
        ("edits", "video"): _no_output("IMAGE", "T2V"),
        ("videos", "image"): _no_output("VIDEO", "T2I"),
        ("videos", "edit"): _no_output("VIDEO", "I2I"),
    },
)
