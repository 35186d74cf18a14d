"""The profile of no server in particular: it takes what any backend sends, and makes what was asked for."""

from collections.abc import Mapping
from typing import Final

from loadgen.simulator.engine import answer
from loadgen.simulator.engine.options import SimulatorOptions
from loadgen.simulator.engine.profile import JobStatus, Profile


def model_entry(options: SimulatorOptions) -> dict[str, object]:
    """Return the model's entry in /v1/models."""
    return {"id": options.model, "object": "model", "created": 0, "owned_by": "diffusion-loadgen"}


def job(status: JobStatus, _: SimulatorOptions) -> dict[str, object]:
    """Return the body that describes a job."""
    generation = status.generation
    size = f"{generation.width}x{generation.height}"
    body: dict[str, object] = {"id": status.id, "object": "video", "status": status.state, "size": size}
    if status.error:
        body["error"] = {"code": "generation_failed", "message": status.error[1]}
    elif status.timings:
        body["stage_durations"] = status.timings.stages()
        body["peak_memory_mb"] = answer.peak_memory_mb(generation)
    return body


def deleted(status: JobStatus, _: SimulatorOptions) -> Mapping[str, object]:
    """Return the answer to a DELETE."""
    return {"id": status.id, "object": "video.deleted", "deleted": True}


ANY: Final = Profile(
    name="any",
    dialects=("models", "chat", "images", "videos", "jobs", "lightx2v"),
    error=answer.refusal,
    model_entry=model_entry,
    completion=answer.completion,
    images=answer.images,
    job=job,
    job_id="video_{:08d}".format,
    deleted=deleted,
    video_files=True,
)
