"""The backends `lightx2v-image` and `lightx2v-video`: the JSON of a task, its states, and whole runs."""

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.records.record import ErrorKind
from loadgen.backends import Backend, JobBackend, State, lightx2v, lightx2v_image, lightx2v_video
from loadgen.datasets.input_images import synthetic_png
from loadgen.datasets.sample import Sample
from loadgen.errors import UsageError
from loadgen.simulator.dialects.lightx2v import IMAGE, VIDEO, parse
from loadgen.simulator.engine.generation import RefusalError
from loadgen.simulator.engine.mp4 import mp4
from loadgen.transport import NAMES
from tests.support.commands import bench, fetch, server

PICTURE = synthetic_png(8, 4, 0)
SIZE = ("--dataset", "random", "--width", "64", "--height", "32", "--num-prompts", "4", "--disable-tqdm")
KINDS = [
    (lightx2v_image, "t2i"), (lightx2v_image, "i2i"), (lightx2v_video, "t2v"), (lightx2v_video, "i2v"),
]  # fmt: skip


def payload(backend: Any, sample: Sample, task: str) -> dict[str, Any]:
    made = backend.encode(sample, "wan", task)
    assert (made.method, made.path, made.content_type) == ("POST", backend.path, "application/json")
    found: dict[str, Any] = orjson.loads(made.body)
    return found


def test_a_video_task_has_the_fields_of_the_newest_schema_and_no_others() -> None:
    sample = Sample("a cat", None, 64, 32, 81, 50, 3, 16, extra={"negative_prompt": "blur"})
    found = payload(lightx2v_video, sample, "t2v")
    assert found.pop("save_result_path").endswith(".mp4")
    assert found == {"task": "t2v", "prompt": "a cat", "negative_prompt": "blur", "seed": 3, "size": [32, 64],
                     "num_frames": 81}  # fmt: skip
    assert parse(orjson.dumps(found), VIDEO)[0].frames == 81


def test_an_image_task_has_no_frames() -> None:
    found = payload(lightx2v_image, Sample("a cat", num_frames=3), "t2i")
    assert found.pop("save_result_path").endswith(".png")
    assert found == {"task": "t2i", "prompt": "a cat"}


@pytest.mark.parametrize(
    ("task", "theirs"), [("i2v", "i2v"), ("ti2v", "i2v"), ("i2i", "i2i"), ("ti2i", "i2i"), ("it2i", "i2i")]
)
def test_an_input_image_is_a_data_url(task: str, theirs: str) -> None:
    backend = lightx2v_video if task.endswith("v") else lightx2v_image
    found = payload(backend, Sample("a", images=(PICTURE,)), task)
    assert found["task"] == theirs
    assert base64.b64decode(found["image_path"].removeprefix("data:image/png;base64,")) == PICTURE
    with pytest.raises(UsageError, match="2 images"):
        payload(backend, Sample("a", images=(PICTURE, PICTURE)), task)


def test_each_sample_is_saved_under_a_name_of_its_own_and_extras_win() -> None:
    names = {payload(lightx2v_video, Sample("a", seed=seed), "t2v")["save_result_path"] for seed in (1, 2, 1)}
    assert len(names) == 2
    own = Sample("a", extra={"save_result_path": "x.mp4", "infer_steps": 4, "target_video_length": 81})
    found = payload(lightx2v_video, own, "t2v")
    assert (found["save_result_path"], found["infer_steps"], found["target_video_length"]) == ("x.mp4", 4, 81)


@pytest.mark.parametrize(
    ("answer", "state", "detail"),
    [
        ({"task_id": "t1", "status": "pending", "error": None}, State.PENDING, ""),
        ({"task_id": "t1", "status": "processing"}, State.RUNNING, ""),
        ({"task_id": "t1", "status": "completed"}, State.COMPLETED, ""),
        ({"task_id": "t1", "status": "failed", "error": "CUDA out of memory"}, State.FAILED, "CUDA out of memory"),
        ({"task_id": "t1", "status": "cancelled"}, State.FAILED, "the job is cancelled"),
        ({"task_id": "t2", "status": "pending"}, State.FAILED, "task_id is 't2'"),
    ],
)
def test_a_poll_is_read_as_how_far_the_task_is(answer: dict[str, Any], state: State, detail: str) -> None:
    job = lightx2v.read_job(orjson.dumps(answer), "t1")
    assert job.state is state
    assert detail in job.parsed.detail


def test_a_creation_says_the_id() -> None:
    job = lightx2v.read_job(b'{"task_id":"t1","task_status":"pending","save_result_path":null}')
    assert (job.id, job.state) == ("t1", State.PENDING)
    assert lightx2v.read_job(b'{"detail":"Task queue is full (max 100 tasks)"}').state is State.FAILED


def test_requests_of_a_task_have_its_id_in_its_place() -> None:
    assert [make("../t")[:2] for make in (lightx2v.poll, lightx2v.content, lightx2v.delete)] == [
        ("GET", "/v1/tasks/..%2Ft/status"), ("GET", "/v1/tasks/..%2Ft/result"), ("DELETE", "/v1/tasks/..%2Ft"),
    ]  # fmt: skip
    assert all(isinstance(backend, JobBackend) for backend in (lightx2v_image, lightx2v_video))


@pytest.mark.parametrize(
    ("body", "task", "error"),
    [
        (PICTURE, "t2i", ErrorKind.NONE),
        (memoryview(mp4(8, 8, 2)), "t2v", ErrorKind.NONE),
        (PICTURE, "t2v", ErrorKind.NO_MEDIA),
        (mp4(8, 8, 2), "i2i", ErrorKind.NO_MEDIA),
        (b"", "t2i", ErrorKind.NO_MEDIA),
        (b'{"detail":"no"}', "t2v", ErrorKind.NO_MEDIA),
    ],
)
def test_the_file_of_a_task_is_of_the_kind_that_was_asked_for(body: bytes, task: str, error: ErrorKind) -> None:
    assert lightx2v.read(body, task).error is error
    assert list(lightx2v.media(bytes(body))) == [bytes(body)]


@given(st.binary(), st.sampled_from([None, "t1"]))
def test_nothing_makes_reading_raise(body: bytes, expected: str | None) -> None:
    lightx2v.read_job(body, expected)
    lightx2v.read(body, "t2v")


@pytest.mark.parametrize("field", ["infer_steps", "target_video_length", "model", "fps", "width"])
def test_the_simulated_server_refuses_unknown_fields_as_the_newest_one_does(field: str) -> None:
    with pytest.raises(RefusalError, match=f"body.{field}: Extra inputs") as refused:
        parse(orjson.dumps({"prompt": "a", field: 1}), IMAGE)
    assert refused.value.status == 422


@pytest.mark.parametrize("transport", NAMES)
@pytest.mark.parametrize("role", ["lightx2v", "any"])
@pytest.mark.parametrize(("backend", "task"), KINDS)
def test_a_run_against_the_simulated_server(backend: Backend, task: str, role: str, transport: str) -> None:
    with server(base_ms=30, replicas=4, server=role) as url:
        words = ("--base-url", url, "--backend", backend.name, "--task", task, "--transport", transport)
        result = bench(*SIZE, *words, "--max-concurrency", "4", "--skip-health-check")
        assert fetch(f"{url}/sim/stats")["in_flight"] == 0
    assert result["completed_requests"] == 4
    assert result["processes"]["sender 0"]["undeleted"] == 0


@pytest.mark.parametrize("transport", NAMES)
def test_failed_tasks_are_failed_jobs_and_overdue_ones_are_cancelled(transport: str) -> None:
    words = ("--backend", "lightx2v-video", "--task", "t2v", "--warmup-requests", "0", "--transport", transport)
    with server(base_ms=5, server="lightx2v", fail_rate=1) as url:
        result = bench(*SIZE, *words, "--base-url", url, "--skip-health-check", code=4)
        assert result["errors"] == {"job_failed": {"count": 4, "example": "injected by --fail-rate"}}
    with server(base_ms=5, server="lightx2v", stall=1) as url:
        more = ("--base-url", url, "--skip-health-check", "--video-job-timeout", "0.3", "--max-concurrency", "4")
        result = bench(*SIZE, *words, *more, code=4)
        assert result["outcomes"]["timeout"] == 4
        assert fetch(f"{url}/sim/stats")["in_flight"] == 0
