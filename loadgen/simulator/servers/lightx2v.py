"""The profile of LightX2V's API server, after its public sources: tasks of its own, and no list of models."""

from typing import Final

import orjson

from loadgen.simulator.engine import answer
from loadgen.simulator.engine.answer import Payload
from loadgen.simulator.engine.profile import Profile
from loadgen.simulator.servers.simulated import deleted, job, model_entry


def error(message: str, status: int) -> Payload:
    """Return an error as FastAPI writes it."""
    return Payload(orjson.dumps({"detail": message}), status)


LIGHTX2V: Final = Profile(
    name="lightx2v",
    dialects=("lightx2v",),
    error=error,
    model_entry=model_entry,
    completion=answer.completion,
    images=answer.images,
    job=job,
    job_id="{:032x}".format,
    deleted=deleted,
    lists_paths=True,
    align=16,
    aborts=True,
    no_job="Task not found",
)
