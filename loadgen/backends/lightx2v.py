"""What the two LightX2V backends share: tasks are created by JSON, polled, fetched and deleted under /v1/tasks.

The fields are those of the newest schema, which rejects unknown ones; steps and model are set when that server starts.
Older servers (`infer_steps`, `target_video_length`, `target_shape`) ignore unknown fields and get theirs by
`--extra-body`.
"""

import hashlib
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from collector.records.record import ErrorKind
from loadgen.bodies import job_status
from loadgen.bodies.fields import dumps, label, without_nulls
from loadgen.bodies.job_status import Job
from loadgen.bodies.json_body import short
from loadgen.bodies.parsed_answer import ParsedAnswer
from loadgen.bodies.request import Request
from loadgen.datasets.input_images import data_url
from loadgen.datasets.sample import Sample
from loadgen.errors import UsageError
from loadgen.media.headers import describe
from loadgen.options import IMAGE_INPUT_TASKS, VIDEO_TASKS

delete_stops_work: Final = True
_TASKS: Final = {"ti2i": "i2i", "it2i": "i2i", "ti2v": "i2v"}  # LightX2V's names for them


def encode(sample: Sample, task: str, path: str, fields: dict[str, object], suffix: str) -> Request:
    """Encode the JSON body of a task; extra fields override all but the prompt.

    The result is always saved to a file, since the server has it only there. Raises InputError for an image that cannot
    be read, and UsageError for more than one image or a value that JSON cannot hold.
    """
    images = sample.images if task in IMAGE_INPUT_TASKS else ()
    if len(images) > 1:
        raise UsageError(f"{label(sample)}: has {len(images)} images, and LightX2V takes one; drop the others")
    own: dict[str, object] = {
        "task": _TASKS.get(task, task),
        "image_path": data_url(images[0]) if images else None,
        "seed": sample.seed,
        "size": _size(sample),
        **fields,
    }
    rest = {key: value for key, value in sample.extra.items() if key not in ("width", "height")}
    payload = without_nulls({**own, **rest}) | {"prompt": sample.prompt}
    if "save_result_path" not in payload:
        digest = hashlib.sha256(dumps(payload, sample)).hexdigest()
        payload["save_result_path"] = f"loadgen-{digest[:16]}{suffix}"
    return Request("POST", path, "application/json", dumps(payload, sample))


def _size(sample: Sample) -> list[object] | None:
    """The size as this API has it: height first."""
    width, height = (sample.extra.get(key, own) for key, own in (("width", sample.width), ("height", sample.height)))
    return None if width is None or height is None else [height, width]


def read_job(body: bytes | bytearray | memoryview, expected: str | None = None) -> Job:
    """Parse the answer to a creation, or to a poll of the task `expected`; see `job_status.read`."""
    return job_status.read(body, expected, "task_id", "task_status" if expected is None else "status")


def poll(job_id: str) -> Request:
    """Return the request for the status of a task."""
    return Request("GET", f"{_task_path(job_id)}/status", "", b"")


def content(job_id: str) -> Request:
    """Return the request for the file of a completed task."""
    return Request("GET", f"{_task_path(job_id)}/result", "", b"")


def delete(job_id: str) -> Request:
    """Return the request that cancels a task."""
    return Request("DELETE", _task_path(job_id), "", b"")


def _task_path(job_id: str) -> str:
    return f"/v1/tasks/{quote(job_id, safe='')}"


def read(body: bytes | bytearray | memoryview, task: str, n: int = 1) -> ParsedAnswer:
    """Parse the file of a task: a success is an image or a video, as the task wants; never raises."""
    kind = "video" if task in VIDEO_TASKS else "image"
    found = describe(body[:30])
    if found is not None and found.kind == kind:
        return ParsedAnswer(media=(body,))
    held = found.mime if found else repr(bytes(body[:40])) if len(body) else "an empty body"
    return ParsedAnswer(ErrorKind.NO_MEDIA, short(f"no {kind}, but {held}"))


def media(body: bytes) -> Iterable[bytes]:
    """Return the image or video."""
    return (body,)
