"""The profile of NVIDIA Dynamo's frontend in front of a video worker, after its public sources."""

from typing import Final

import orjson

from loadgen.simulator.engine import answer
from loadgen.simulator.engine.answer import Payload
from loadgen.simulator.engine.options import SimulatorOptions
from loadgen.simulator.engine.profile import Profile
from loadgen.simulator.servers.simulated import deleted, job


def error(message: str, status: int) -> Payload:
    """Return an error: a flat object."""
    kind = "invalid_request_error" if status < 500 else "internal_server_error"
    return Payload(orjson.dumps({"message": message, "type": kind, "code": status}), status)


def model_entry(options: SimulatorOptions) -> dict[str, object]:
    """Return the model's entry in /v1/models."""
    return {"id": options.model, "object": "object", "created": 0, "owned_by": "nvidia"}


DYNAMO: Final = Profile(
    name="dynamo",
    dialects=("models", "dynamo"),
    error=error,
    model_entry=model_entry,
    completion=answer.completion,
    images=answer.images,
    job=job,
    job_id="video_{:08d}".format,
    deleted=deleted,
    health={"status": "healthy"},
    models={"video": "Wan-AI/Wan2.1-T2V-1.3B-Diffusers"},
    align=16,
    video_defaults={"width": 832, "height": 480},
)
