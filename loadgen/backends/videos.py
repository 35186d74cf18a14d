"""The backend `v1/videos`: encodes the requests that create, poll, fetch and delete a video job; parses their answers.

When to poll and what to time is decided in `loadgen/engine/jobs.py`.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final
from urllib.parse import quote

from collector.records.record import ErrorKind
from loadgen.bodies import job_status, media_size, multipart
from loadgen.bodies.fields import dumps, generation_fields, label, with_count, without_nulls
from loadgen.bodies.job_status import Job
from loadgen.bodies.json_body import short
from loadgen.bodies.multipart import InputFile
from loadgen.bodies.parsed_answer import ParsedAnswer
from loadgen.bodies.request import Request
from loadgen.datasets.input_images import read_image
from loadgen.datasets.input_videos import read_video
from loadgen.datasets.sample import Sample
from loadgen.errors import UsageError
from loadgen.media.headers import describe
from loadgen.options import IMAGE_INPUT_TASKS

name: Final = "v1/videos"
path: Final = "/v1/videos"
tasks: Final = ("t2v", "i2v", "ti2v", "v2v")
needs_authorization: Final = False
takes_n: Final = True
headers: Final[tuple[str, ...]] = ()
requested_size = media_size.from_sides

_HEAD_BYTES: Final = 1024  # enough to tell the kind of a file


def encode(sample: Sample, model: str, task: str) -> Request:
    """Encode the form that creates a job, with the input image or video if `task` takes one.

    The size is sent as `size` too, which older servers read instead of width and height. Extra fields override all but
    model and prompt. Raises InputError for a file that cannot be read, and UsageError for more than one image or video.
    """
    fields = {**generation_fields(sample), **with_count(sample.extra, "num_outputs_per_prompt")}
    if fields["width"] is not None and fields["height"] is not None:
        fields.setdefault("size", f"{fields['width']}x{fields['height']}")
    reference, files = _video_reference(sample) if task == "v2v" else ({}, _image_reference(sample, task))
    form_fields = without_nulls({**reference, **fields}) | {"model": model, "prompt": sample.prompt}
    return Request("POST", path, multipart.CONTENT_TYPE, multipart.form(form_fields, files, sample))


def _image_reference(sample: Sample, task: str) -> list[tuple[str, InputFile]]:
    images = sample.images if task in IMAGE_INPUT_TASKS else ()
    if len(images) > 1:
        raise UsageError(f"{label(sample)}: has {len(images)} images, and --backend {name} takes one; drop the others")
    return [("input_reference", read_image(image)) for image in images]


def _video_reference(sample: Sample) -> tuple[dict[str, object], list[tuple[str, InputFile]]]:
    """The input video: a file as a file part, as SGLang takes it, and a URL as JSON, as vLLM-Omni takes it."""
    if len(sample.videos) != 1:
        raise UsageError(f"{label(sample)}: has {len(sample.videos)} videos, and task v2v takes one; give one video")
    video = sample.videos[0]
    if isinstance(video, Path):
        return {}, [("video_reference", read_video(video))]
    return {"video_reference": dumps({"video_url": video}, sample).decode()}, []


def read_job(body: bytes | bytearray | memoryview, expected: str | None = None) -> Job:
    """Parse the answer to a creation, or to a poll of the job `expected`; see `job_status.read`."""
    return job_status.read(body, expected)


def poll(job_id: str) -> Request:
    """Return the request for the status of a job."""
    return Request("GET", _job_path(job_id), "", b"")


def content(job_id: str) -> Request:
    """Return the request for the video of a completed job."""
    return Request("GET", f"{_job_path(job_id)}/content", "", b"")


def delete(job_id: str) -> Request:
    """Return the request that deletes a job."""
    return Request("DELETE", _job_path(job_id), "", b"")


def _job_path(job_id: str) -> str:
    return f"{path}/{quote(job_id, safe='')}"


def read_content(body: bytes | bytearray | memoryview) -> ParsedAnswer:
    """Parse the 200 answer to a content request: a success is a video, or an animated image; never raises."""
    found = describe(body[:_HEAD_BYTES])
    if found is not None and found.serves_as("video"):
        return ParsedAnswer(media=(body,))
    return ParsedAnswer(
        ErrorKind.NO_MEDIA, short(f"no video, but {bytes(body[:40])!r}" if len(body) else "no video: empty body")
    )


def read(body: bytes | bytearray | memoryview, task: str, n: int = 1) -> ParsedAnswer:
    """Parse the content of a job."""
    return read_content(body)


def media(body: bytes) -> Iterable[bytes]:
    """Return the video."""
    return (body,)
