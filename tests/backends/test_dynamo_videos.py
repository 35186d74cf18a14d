"""The backend `dynamo/videos`: the JSON that it sends, and what each answer is read as."""

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.records.record import ErrorKind
from loadgen.backends import dynamo_videos
from loadgen.datasets.input_images import synthetic_png
from loadgen.datasets.sample import Sample
from loadgen.errors import UsageError
from loadgen.simulator.dialects.dynamo import parse
from loadgen.simulator.engine.generation import Generation, RefusalError
from loadgen.simulator.engine.mp4 import mp4
from loadgen.transport import NAMES
from tests.support.commands import bench, server

PICTURE, VIDEO = synthetic_png(8, 4, 0), mp4(8, 8, 2)
GOOD = {"status": "completed", "data": [{"output_format": "mp4", "b64_json": base64.b64encode(VIDEO).decode()}]}
DYNAMO = ("--backend", "dynamo/videos", "--task", "t2v", "--dataset", "random", "--width", "64", "--height", "32",
          "--num-frames", "2", "--num-prompts", "4", "--disable-tqdm")  # fmt: skip


def payload(sample: Sample, task: str = "t2v") -> dict[str, Any]:
    made = dynamo_videos.encode(sample, "wan", task)
    assert (made.method, made.path, made.content_type) == ("POST", "/v1/videos", "application/json")
    found: dict[str, Any] = orjson.loads(made.body)
    return found


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        (Sample("a cat"), {}),
        (Sample("a cat", width=64), {}),
        (
            Sample("a cat", None, 64, 32, 81, 50, 0, 16, extra={"negative_prompt": "blur", "guidance_scale": 4.5}),
            {"size": "64x32", "nvext": {"num_frames": 81, "num_inference_steps": 50, "seed": 0, "fps": 16,
                                        "negative_prompt": "blur", "guidance_scale": 4.5}},
        ),
        (Sample("a", width=64, height=32, seed=1, extra={"seconds": 4, "seed": None, "width": 16, "user": "me"}),
         {"size": "16x32", "seconds": 4, "user": "me"}),
        (Sample("a", seed=1, extra={"nvext": {"seed": 2, "annotations": []}, "model": "x", "prompt": "y"}),
         {"nvext": {"seed": 2, "annotations": []}}),
        (Sample("a", extra={"size": "8x8", "response_format": "url"}), {"size": "8x8", "response_format": "url"}),
    ],
)  # fmt: skip
def test_the_body_has_its_own_fields_and_nvext(sample: Sample, expected: dict[str, Any]) -> None:
    base = {"model": "wan", "prompt": sample.prompt, "response_format": "b64_json"}
    assert payload(sample) == {**base, **expected}


def test_an_input_image_is_a_data_url_where_the_task_takes_one() -> None:
    sample = Sample("a", images=(PICTURE,))
    reference = payload(sample, "i2v")["input_reference"]
    assert base64.b64decode(reference.removeprefix("data:image/png;base64,")) == PICTURE
    assert "input_reference" not in payload(sample, "t2v")
    with pytest.raises(UsageError, match="2 images"):
        payload(Sample("a", images=(PICTURE, PICTURE)), "i2v")


@pytest.mark.parametrize(
    ("body", "error", "detail"),
    [
        (GOOD, ErrorKind.NONE, ""),
        ({**GOOD, "error": "no GPU"}, ErrorKind.SERVER_ERROR, "no GPU"),
        ({"status": "failed", "data": [], "error": "no GPU"}, ErrorKind.SERVER_ERROR, "no GPU"),
        ({"status": "failed", "data": []}, ErrorKind.SERVER_ERROR, "status is failed"),
        ({"status": "cancelled", "data": []}, ErrorKind.SERVER_ERROR, "status is cancelled"),
        ({"status": "completed", "data": []}, ErrorKind.NO_MEDIA, "0 of 1"),
        ({"status": "completed"}, ErrorKind.INVALID_BODY, "data is not a list"),
        ([], ErrorKind.INVALID_BODY, "not a JSON object"),
    ],
)
def test_a_200_is_a_success_only_if_the_status_in_its_body_is(body: object, error: ErrorKind, detail: str) -> None:
    parsed = dynamo_videos.read(orjson.dumps(body), "t2v")
    assert parsed.error is error
    assert detail in parsed.detail


def test_the_video_is_taken_out_of_the_body() -> None:
    assert list(dynamo_videos.media(orjson.dumps(GOOD))) == [VIDEO]
    (medium,) = dynamo_videos.read(orjson.dumps(GOOD), "t2v").media
    assert medium[: len(VIDEO)] == VIDEO


@given(st.binary() | st.recursive(st.none() | st.text() | st.booleans(), st.lists).map(orjson.dumps))
def test_nothing_makes_reading_raise(body: bytes) -> None:
    dynamo_videos.read(body, "t2v")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"prompt": "a"}, "`model`"),
        ({"model": "m"}, "prompt"),
        ({"model": "m", "prompt": "a", "response_format": "png"}, "`url` or `b64_json`"),
        ({"model": "m", "prompt": "a", "nvext": {"fps": 23.976}}, "nvext.fps"),
        ({"model": "m", "prompt": "a", "nvext": {"seed": 1 << 63}}, "nvext.seed"),
        ({"model": "m", "prompt": "a", "size": "big"}, "size"),
        ({"model": "m", "prompt": "a", "nvext": []}, "nvext must"),
    ],
)
def test_the_simulated_server_refuses_what_dynamo_does(fields: dict[str, Any], reason: str) -> None:
    if fields.get("nvext") == []:
        fields = {**fields, "nvext": [1]}
    with pytest.raises(RefusalError) as refused:
        parse(orjson.dumps(fields))
    assert reason in str(refused.value)


def test_frames_come_from_seconds_unless_they_are_given() -> None:
    body = {"model": "m", "prompt": "a", "size": "64x32", "seconds": 2, "nvext": {"fps": 8}}
    assert parse(orjson.dumps(body)) == Generation("a", 64, 32, 16, 1)


@pytest.mark.parametrize("transport", NAMES)
@pytest.mark.parametrize("role", ["dynamo", "any"])
def test_a_run_against_the_simulated_server(role: str, transport: str) -> None:
    with server(base_ms=5, server=role, kind="video") as url:
        result = bench(*DYNAMO, "--base-url", url, "--model", "wan", "--transport", transport)
    assert result["completed_requests"] == 4


@pytest.mark.parametrize("transport", NAMES)
def test_failed_generations_are_failures_though_their_status_is_200(transport: str) -> None:
    with server(base_ms=5, server="dynamo", kind="video", fail_rate=1) as url:
        result = bench(*DYNAMO, "--base-url", url, "--model", "wan", "--force", "--transport", transport, code=4)
    assert result["errors"] == {"server_error": {"count": 4, "example": "injected by --fail-rate"}}
