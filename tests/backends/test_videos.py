"""The dialect `v1/videos`: the form that creates a job, and what each answer on the way says."""

import math
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.records.record import ErrorKind
from loadgen.backends import Backend, videos, videos_sync
from loadgen.backends.videos import read_job
from loadgen.bodies.job_status import Job, State
from loadgen.bodies.parsed_answer import ParsedAnswer
from loadgen.bodies.server_figures import with_headers
from loadgen.datasets.input_images import synthetic_png
from loadgen.datasets.sample import Sample
from loadgen.errors import InputError, UsageError
from loadgen.simulator.engine.mp4 import mp4
from tests.backends.test_image_edits import fields, parts

PICTURE = synthetic_png(8, 4, 0)
NO_WORD = "the job is {}, and no error says why"


@pytest.mark.parametrize("backend", [videos, videos_sync])
@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        (Sample("a cat"), {}),
        (Sample("a cat", width=64), {}),
        (
            Sample("a cat", "r1", 64, 32, 81, 50, 0, 16),
            {"size": "64x32", "width": "64", "height": "32", "num_frames": "81", "num_inference_steps": "50",
             "seed": "0", "fps": "16"},
        ),
        (Sample("a cat", fps=8, extra={"fps": 7.5, "lora": {"a": 1}, "seed": None, "prompt": "y"}),
         {"fps": "7.5", "lora": '{"a":1}'}),
        (Sample("a cat", width=64, height=32, extra={"width": 16, "n": 2, "model": "x"}),
         {"size": "16x32", "width": "16", "height": "32", "num_outputs_per_prompt": "2"}),
        (Sample("a cat", width=64, height=32, extra={"size": "720p"}),
         {"size": "720p", "width": "64", "height": "32"}),
    ],
    ids=["bare", "width alone", "all fields", "extras win, never over the prompt", "n", "size"],
)  # fmt: skip
def test_a_form_holds_exactly_what_the_sample_says(backend: object, sample: Sample, expected: dict[str, str]) -> None:
    made = (videos if backend is videos else videos_sync).encode(sample, "wan", "t2v")
    assert (made.method, made.path) == ("POST", "/v1/videos" if backend is videos else "/v1/videos/sync")
    assert fields(made) == {"model": "wan", "prompt": "a cat", **expected}


@pytest.mark.parametrize(("task", "files"), [("t2v", []), ("i2v", [PICTURE]), ("ti2v", [PICTURE])])
def test_an_input_reference_goes_along_where_the_task_takes_an_image(task: str, files: list[bytes]) -> None:
    made = videos.encode(Sample("a cat", images=(PICTURE,)), "wan", task)
    assert [part for part in parts(made) if part[1]] == [
        ("input_reference", "image.png", "image/png", data) for data in files
    ]


@pytest.mark.parametrize("backend", [videos, videos_sync])
def test_an_input_video_is_a_file_or_json_with_its_url(backend: Backend, tmp_path: Path) -> None:
    file = tmp_path / "clip.mp4"
    file.write_bytes(mp4(8, 8, 2))
    made = backend.encode(Sample("a cat", videos=(file,)), "wan", "v2v")
    assert [part for part in parts(made) if part[1]] == [("video_reference", "clip.mp4", "video/mp4", mp4(8, 8, 2))]
    linked = backend.encode(Sample("a cat", videos=("https://x/a.mp4",)), "wan", "v2v")
    assert orjson.loads(fields(linked)["video_reference"]) == {"video_url": "https://x/a.mp4"}
    assert not [part for part in parts(linked) if part[1]]
    assert "video_reference" not in fields(backend.encode(Sample("a cat", videos=(file,)), "wan", "t2v"))


@pytest.mark.parametrize("count", [0, 2])
def test_a_video_task_takes_one_video(count: int) -> None:
    with pytest.raises(UsageError, match=rf"req-7.*{count} videos"):
        videos.encode(Sample("a", request_id="req-7", videos=("http://x/a.mp4",) * count), "wan", "v2v")


@pytest.mark.parametrize("content", [None, b"", b"no video", synthetic_png(8, 4, 0)])
def test_an_input_video_that_cannot_be_used_is_named_by_its_path(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "clip.mp4"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=r"clip\.mp4"):
        videos.encode(Sample("a", videos=(file,)), "wan", "v2v")


def test_more_than_one_image_is_refused_rather_than_dropped() -> None:
    with pytest.raises(UsageError, match=r"req-7.*2 images"):
        videos.encode(Sample("a", request_id="req-7", images=(PICTURE, PICTURE)), "wan", "i2v")


def test_a_job_is_polled_fetched_and_deleted_by_its_id_which_cannot_leave_its_place() -> None:
    assert [make("v1")[:2] for make in (videos.poll, videos.content, videos.delete)] == [
        ("GET", "/v1/videos/v1"), ("GET", "/v1/videos/v1/content"), ("DELETE", "/v1/videos/v1"),
    ]  # fmt: skip
    assert videos.poll("../a b?c#é")[1] == "/v1/videos/..%2Fa%20b%3Fc%23%C3%A9"


def failed(kind: ErrorKind, detail: str, job_id: str = "v1") -> Job:
    return Job(job_id, State.FAILED, ParsedAnswer(kind, detail))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"id": "v1", "status": "queued"}, Job("v1", State.PENDING)),
        ({"id": "v1", "status": "in_progress", "error": None, "progress": 5}, Job("v1", State.RUNNING)),
        ({"id": "v1", "status": "warming up", "error": "slow"}, Job("v1", State.UNKNOWN)),
        ({"status": "queued"}, Job("v1", State.PENDING)),
        ({"id": "v1", "status": "failed", "error": {"message": "oom"}}, failed(ErrorKind.JOB_FAILED, "oom")),
        ({"id": "v1", "status": "failed", "error": "oom"}, failed(ErrorKind.JOB_FAILED, "oom")),
        ({"id": "v1", "status": "failed"}, failed(ErrorKind.JOB_FAILED, NO_WORD.format("failed"))),
        ({"id": "v1", "status": "expired"}, failed(ErrorKind.JOB_FAILED, NO_WORD.format("expired"))),
        ({"error": {"message": "no such job"}}, failed(ErrorKind.SERVER_ERROR, "no such job")),
        ({"id": "v1"}, failed(ErrorKind.INVALID_BODY, "status is None, not a text")),
        ({"id": "v1", "status": 3}, failed(ErrorKind.INVALID_BODY, "status is 3, not a text")),
        ({"id": "v2", "status": "queued"}, failed(ErrorKind.INVALID_BODY, "id is 'v2', not v1")),
        ([], failed(ErrorKind.INVALID_BODY, "not a JSON object")),
    ],
)  # fmt: skip
def test_a_poll_is_read_as_how_far_the_job_is(answer: object, expected: Job) -> None:
    found = read_job(orjson.dumps(answer), "v1")
    assert (found.id, found.state, found.parsed.error, found.parsed.detail) == (
        expected.id, expected.state, expected.parsed.error, expected.parsed.detail,
    )  # fmt: skip


@pytest.mark.parametrize(
    "found", [None, "", ".", "..", 7, "x" * 257, "a\nb", "a\0b"], ids=lambda found: repr(found)[:12]
)
def test_a_created_job_needs_an_id_that_a_path_can_hold(found: object) -> None:
    job = read_job(orjson.dumps({"id": found, "status": "queued"}))
    assert (job.id, job.state, job.parsed.error) == ("", State.FAILED, ErrorKind.INVALID_BODY)
    assert job.parsed.detail.startswith("id is ")


def test_a_state_is_known_in_capitals_too() -> None:
    assert read_job(b'{"id": "v1", "status": "COMPLETED"}').state is State.COMPLETED
    assert read_job(b'{"id": "v1", "status": "Failed"}').state is State.FAILED


def test_a_created_job_says_its_id() -> None:
    assert read_job(b'{"id":"video_1","status":"queued"}').id == "video_1"


@pytest.mark.parametrize(
    ("top", "stages", "peak"),
    [
        ({"stage_durations": {"dit": 2}, "peak_memory_mb": 9}, {"dit": 2.0}, 9.0),
        ({"metrics": {"stage_durations": {"dit": 3}, "peak_memory_mb": 8}}, {"dit": 3.0}, 8.0),
        ({}, {}, math.nan),
    ],
)
def test_a_completed_job_brings_its_figures(top: dict[str, object], stages: dict[str, float], peak: float) -> None:
    job = read_job(orjson.dumps({"id": "v1", "status": "completed", **top}), "v1")
    assert (job.state, job.parsed.error, job.parsed.stage_durations) == (State.COMPLETED, ErrorKind.NONE, stages)
    assert job.parsed.peak_memory_mb == pytest.approx(peak, nan_ok=True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text() | st.sampled_from(["v1", "completed", "failed"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "status", "error", "message", "metrics", "stage_durations"]), inner)
    ),
    max_leaves=10,
)


@given(st.binary() | JSON.map(orjson.dumps), st.sampled_from([None, "v1"]))
def test_nothing_makes_reading_a_job_raise_and_its_id_stays_in_its_place(body: bytes, expected: str | None) -> None:
    job = read_job(body, expected)
    assert job.id in (expected or job.id, "")
    assert (job.state is State.FAILED) == bool(job.parsed.error)
    if job.id:
        assert videos.poll(job.id).path.count("/") == 3


@pytest.mark.parametrize(
    ("body", "error", "detail"),
    [
        (mp4(64, 32, 2), ErrorKind.NONE, ""),
        (memoryview(mp4(64, 32, 2)), ErrorKind.NONE, ""),
        (b"", ErrorKind.NO_MEDIA, "empty body"),
        (b'{"error":"gone"}', ErrorKind.NO_MEDIA, "gone"),
        (PICTURE, ErrorKind.NO_MEDIA, "no video"),
    ],
)
def test_content_is_a_video_or_a_failure(body: bytes, error: ErrorKind, detail: str) -> None:
    for reply in (videos.read(body, "t2v"), videos_sync.read(body, "t2v")):
        assert reply.error is error
        assert detail in reply.detail
        assert bool(reply.detail) == (error is not ErrorKind.NONE)


@pytest.mark.parametrize("backend", [videos, videos_sync])
def test_a_video_is_saved_as_it_stands(backend: Backend) -> None:
    assert list(backend.media(mp4(8, 8, 1))) == [mp4(8, 8, 1)]


@pytest.mark.parametrize(
    ("header", "inference_s"),
    [("1.5", 1.5), *((unknown, math.nan) for unknown in ("0", "", "soon", "-1", "nan", "true", '"1.5"', "1e99"))],
)
def test_the_inference_time_of_a_header_is_a_figure_of_its_own(header: str, inference_s: float) -> None:
    reply = with_headers(ParsedAnswer(), {"x-inference-time-s": header})
    assert reply.inference_s == pytest.approx(inference_s, nan_ok=True)
    assert reply.stage_durations == {}


def test_stages_and_memory_of_headers_are_taken_where_they_are_figures() -> None:
    told = {"x-stage-durations": '{"vae": 0.5, "text": "long"}', "x-peak-memory-mb": "812.5", "x-inference-time-s": "2"}
    reply = with_headers(ParsedAnswer(), told)
    assert (reply.stage_durations, reply.peak_memory_mb, reply.inference_s) == ({"vae": 0.5}, 812.5, 2.0)
    nothing = with_headers(ParsedAnswer(), {"x-stage-durations": "[1]", "x-peak-memory-mb": "much"})
    assert nothing.stage_durations == {}
    assert math.isnan(nothing.peak_memory_mb)
