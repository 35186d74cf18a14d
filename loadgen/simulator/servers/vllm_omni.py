"""The profile of vLLM-Omni 0.30.0: answers, errors, job states and refusals as its own HTTP layer gives them."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

import orjson

from loadgen.simulator.engine import answer
from loadgen.simulator.engine.answer import Payload, PayloadBuilder, Timings
from loadgen.simulator.engine.generation import Generation
from loadgen.simulator.engine.options import SimulatorOptions
from loadgen.simulator.engine.profile import JobStatus, Profile
from loadgen.simulator.servers.simulated import deleted

_VIDEO_FPS: Final = 16.0
_ASKED_FPS: Final = 24.0  # shown until the video is made
_NO_VIDEO: Final = (503, "No final video output stage found in video generation pipeline.")
_NO_IMAGE: Final = (400, "Unsupported image type: <class 'bytes'>")
_NO_CHAT: Final = (500, "Image generation failed: 'bytes' object has no attribute 'save'")


def error(message: str, status: int) -> Payload:
    """Return an error; every one is an `error` object, also those of the engine."""
    kind = "InternalServerError" if status == HTTPStatus.INTERNAL_SERVER_ERROR else HTTPStatus(status).phrase
    body: dict[str, object] = {"message": message, "type": kind, "param": None, "code": status}
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        body |= {"request_id": "simulated", "error_stage_id": None}
    return Payload(orjson.dumps({"error": body}), status)


def model_entry(options: SimulatorOptions) -> dict[str, object]:
    """Return the model's entry in /v1/models, which does not tell its task."""
    card = {"id": options.model, "object": "model", "created": 0, "owned_by": "vllm"}
    return {**card, "root": options.model, "parent": None, "max_model_len": None, "permission": []}


def completion(generation: Generation, options: SimulatorOptions) -> PayloadBuilder:
    """Prepare the answer to a chat completion: an item for each image, with its own figures."""
    url = answer.text("data:image/png;base64,", answer.image(generation, options))

    def build(timings: Timings) -> Payload:
        figures = {
            "stage_durations": answer.stages(timings, options),
            "peak_memory_mb": answer.peak_memory_mb(generation),
        }
        item = {"type": "image_url", "image_url": {"url": url}, **figures}
        message = {"role": "assistant", "content": [item] * generation.n, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop", "stop_reason": None}
        usage = {"prompt_tokens": 1, "total_tokens": 2, "completion_tokens": 1}
        top = {"id": "chatcmpl-simulated", "object": "chat.completion", "created": 0, "model": options.model}
        return Payload(orjson.dumps({**top, "choices": [choice], "usage": usage, "metrics": None}))

    return build


def images(generation: Generation, options: SimulatorOptions) -> PayloadBuilder:
    """Prepare the answer to a generation or an edit of images, whose `size` is the one that was made."""
    kind = str(generation.fields.get("output_format") or "png")
    encoded = answer.text("", answer.image(generation, options, kind))
    count = {"num_images": generation.n} if generation.fields.get("return_stage_metrics") else {}
    top = {"created": 0, "output_format": kind, "size": f"{generation.width}x{generation.height}", "cot_output": None}

    def build(timings: Timings) -> Payload:
        figures = {
            "stage_durations": answer.stages(timings, options) or None,
            "peak_memory_mb": answer.peak_memory_mb(generation),
        }
        data = [{"b64_json": encoded, "url": None, "revised_prompt": None}] * generation.n
        return Payload(orjson.dumps({**top, "data": data, "metrics": {**count, **figures}}))

    return build


def job(status: JobStatus, options: SimulatorOptions) -> dict[str, object]:
    """Return the body that describes a job. `size` stays the one asked for; frames and rate become those made."""
    made, fields = status.timings is not None and status.error is None, status.generation.fields
    fps = _VIDEO_FPS if made else fields.get("fps") or _ASKED_FPS
    frames = status.generation.frames if made else fields.get("num_frames")
    return {
        "model": options.model,
        "prompt": status.generation.prompt,
        "id": status.id,
        "object": "video",
        "status": status.state,
        "size": fields.get("size"),
        "progress": 100 if made else 0,
        "seconds": str(fields.get("seconds") or 4),
        "quality": "default",
        "created_at": status.created_s,
        "completed_at": status.created_s + round(status.timings.total_s) if status.timings else None,
        "error": {"code": status.error[0], "message": status.error[1]} if status.error else None,
        "remixed_from_video_id": None,
        "media_type": "video/mp4",
        "expires_at": None,
        "file_name": f"{status.id}.mp4" if made else None,
        "inference_time_s": status.timings.service_s if status.timings else None,
        "fps": fps,
        "num_frames": frames,
        "duration_s": frames / fps if isinstance(frames, int) and isinstance(fps, int | float) else None,
        "metrics": None,
        "stage_durations": answer.stages(status.timings, options) if status.timings and made else {},
        "peak_memory_mb": answer.peak_memory_mb(status.generation) if made else 0.0,
        "action": None,
    }


_MODELS: Final[Mapping[str, str]] = MappingProxyType(
    {"image": "Qwen/Qwen-Image", "edit": "Qwen/Qwen-Image-Edit", "video": "Wan-AI/Wan2.2-T2V-A14B-Diffusers"}
)

VLLM_OMNI: Final = Profile(
    name="vllm-omni-0.30",
    dialects=("models", "chat", "images", "videos", "jobs"),
    error=error,
    model_entry=model_entry,
    completion=completion,
    images=images,
    job=job,
    job_id="video_gen_{:032x}".format,
    deleted=deleted,
    health={"status": "healthy"},
    models=_MODELS,
    lists_paths=True,
    checks_model=True,
    align=16,
    frame_step=4,
    video_defaults={"width": 832, "height": 480, "num_frames": 81},
    edits_follow_picture=True,
    takes_auto_size=True,
    most_images=10,
    video_outputs=False,
    failed_job_is_error=True,
    aborts=True,
    pending_content=(404, "Generation is still in-progress"),
    failed_content=(422, "Video generation failed. Check job status for error details."),
    no_picture_status=422,
    no_job="Video not found",
    late_refusals=True,
    wrong_kind={
        ("chat", "video"): _NO_CHAT,
        ("generations", "video"): _NO_IMAGE,
        ("edits", "video"): _NO_IMAGE,
        ("sync", "image"): _NO_VIDEO,
        ("sync", "edit"): _NO_VIDEO,
        ("videos", "image"): _NO_VIDEO,
        ("videos", "edit"): _NO_VIDEO,
    },
)
