"""The endpoint `openai`: payloads field by field, and what each kind of answer is read as."""

import base64
import json
import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.records.record import ErrorKind
from loadgen.backends import image_generations
from loadgen.datasets.sample import Sample
from loadgen.errors import UsageError

PNG = "iVBORw0KGgo="
BIG = base64.b64encode(bytes(range(256)) * 1000).decode()
ALWAYS = {"model": "sd3", "prompt": "a cat", "n": 1, "response_format": "b64_json"}


def payload(sample: Sample) -> object:
    return orjson.loads(image_generations.encode(sample, "sd3", "t2i").body)


def answer(*texts: object, **top: object) -> bytes:
    return orjson.dumps({"created": 1, "data": [{"b64_json": text} for text in texts], **top})


def test_a_request_is_a_json_post_to_images_generations() -> None:
    request = image_generations.encode(Sample("a cat"), "sd3", "t2i")
    assert (request.method, request.path, request.content_type) == (
        "POST",
        "/v1/images/generations",
        "application/json",
    )


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        (Sample("a cat"), {}),
        (Sample("a cat", width=640, height=480), {"size": "640x480"}),
        (Sample("a cat", width=640), {}),
        (Sample("a cat", seed=0, num_inference_steps=9), {"seed": 0, "num_inference_steps": 9}),
        (Sample("a cat", num_frames=3, fps=8), {}),
        (Sample("a cat", extra={"negative_prompt": "blur"}), {"negative_prompt": "blur"}),
        (Sample("a cat", seed=1, extra={"seed": 2, "n": 4, "size": "8x8"}), {"size": "8x8", "n": 4, "seed": 2}),
        (Sample("a cat", seed=1, extra={"seed": None}), {}),
        (Sample("a cat", extra={"model": "x", "prompt": "y"}), {}),
    ],
    ids=[
        "bare", "size", "width alone", "seed 0 and steps", "no video fields", "extra", "extras win", "null leaves out",
        "never over model and prompt",
    ],
)  # fmt: skip
def test_a_payload_holds_exactly_what_the_sample_says(sample: Sample, expected: dict[str, object]) -> None:
    assert payload(sample) == {**ALWAYS, **expected}


def test_a_value_that_json_cannot_hold_names_its_sample() -> None:
    with pytest.raises(UsageError, match="req-7"):
        image_generations.encode(Sample("a", request_id="req-7", extra={"odd": {1, 2}}), "sd3", "t2i")


@pytest.mark.parametrize(
    ("body", "n", "error", "detail"),
    [
        (answer(PNG), 1, ErrorKind.NONE, ""),
        (answer(PNG, PNG), 2, ErrorKind.NONE, ""),
        (answer(PNG, PNG, PNG), 2, ErrorKind.NONE, ""),
        (answer(PNG), 2, ErrorKind.NO_MEDIA, "1 of 2 images"),
        (answer(PNG, ""), 2, ErrorKind.NO_MEDIA, "1 of 2 images"),
        (answer(PNG, None), 2, ErrorKind.NO_MEDIA, "1 of 2 images"),
        (answer(), 1, ErrorKind.NO_MEDIA, "0 of 1"),
        (
            b'{"data":[{"url":"http://x/y.png"}]}',
            1,
            ErrorKind.NO_MEDIA,
            "http://x/y.png; --response-format url fetches it",
        ),
        (b'{"data":[7]}', 1, ErrorKind.NO_MEDIA, "0 of 1"),
        (b'{"data":{}}', 1, ErrorKind.INVALID_BODY, "list"),
        (b"{}", 1, ErrorKind.INVALID_BODY, "data"),
        (b"[]", 1, ErrorKind.INVALID_BODY, "object"),
        (b"<html>", 1, ErrorKind.INVALID_BODY, "JSON"),
        (b'{"error":{"message":"out of memory"}}', 1, ErrorKind.SERVER_ERROR, "out of memory"),
        (answer(PNG, error="late"), 1, ErrorKind.SERVER_ERROR, "late"),
    ],
)
def test_an_answer_is_read_as_what_it_holds(body: bytes, n: int, error: ErrorKind, detail: str) -> None:
    reply = image_generations.read(body, "t2i", n)
    assert reply.error == error
    assert detail in reply.detail
    assert bool(reply.detail) == (error is not ErrorKind.NONE)


@pytest.mark.parametrize(
    ("top", "stages", "peak"),
    [
        ({"usage": {"peak_memory_mb": 7.5}}, {}, 7.5),
        ({"metrics": {"stage_durations": {"vae": 1}, "peak_memory_mb": 3}}, {"vae": 1.0}, 3.0),
        ({"stage_durations": {"vae": 2}, "peak_memory_mb": 4}, {"vae": 2.0}, 4.0),
        ({"usage": {"peak_memory_mb": 1}, "peak_memory_mb": 4}, {}, 1.0),
        ({"usage": 3, "metrics": [4]}, {}, float("nan")),
    ],
)
def test_figures_come_from_usage_then_metrics_then_the_top(
    top: dict[str, object], stages: dict[str, float], peak: float
) -> None:
    reply = image_generations.read(answer(PNG, **top), "t2i")
    assert reply.stage_durations == stages
    assert reply.peak_memory_mb == pytest.approx(peak, nan_ok=True)


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (",", " :\n ")])
def test_a_large_answer_is_counted_and_decoded_however_it_is_spaced(separators: tuple[str, str]) -> None:
    data = [{"b64_json": BIG, "revised_prompt": '"b64_json"'}, {"b64_json": "AAAA"}, {"b64_json": BIG}]
    body = json.dumps({"data": data, "usage": {"peak_memory_mb": 5}}, separators=separators).encode()
    for kind in (body, bytearray(body), memoryview(body)):
        reply = image_generations.read(kind, "t2i", 3)
        assert (reply.error, reply.peak_memory_mb) == (ErrorKind.NONE, 5)
        assert image_generations.read(kind, "t2i", 4).detail.startswith("3 of 4 images")
    assert [len(one) for one in image_generations.media(body)] == [256_000, 3, 256_000]


@given(st.text(max_size=300), st.text(max_size=300), st.integers(0, 200))
def test_no_text_beside_large_pictures_changes_their_count(before: str, after: str, padding: int) -> None:
    short = "A" * padding + after
    items = [{"b64_json": BIG, "revised_prompt": f'"b64_json":"{before}'}, {'"b64_json"': short, "b64_json": "AA"}]
    reply = image_generations.read(json.dumps({"data": items, "note": before, "peak_memory_mb": 2}).encode(), "t2i", 2)
    assert reply.error is ErrorKind.NONE


@pytest.mark.parametrize(
    ("fields", "memory_mb", "stages", "inference_s"),
    [
        ({"metrics": {"stage_durations": {"vae": 0.5}}, "stage_durations": {}}, None, {"vae": 0.5}, None),
        ({"metrics": {"stage_durations": {}}, "stage_durations": {"vae": 0.5}}, None, {"vae": 0.5}, None),
        ({"metrics": {"stage_durations": None, "peak_memory_mb": 43210.5}}, 43210.5, {}, None),
        ({"metrics": {"stage_durations": {"vae": "long", "dit": 1}}}, None, {"dit": 1.0}, None),
        ({"metrics": {"stage_durations": {"vae": None}}, "stage_durations": {"dit": 1}}, None, {"dit": 1.0}, None),
        ({"peak_memory_mb": 0.0, "inference_time_s": 0.1}, None, {}, 0.1),
        ({"peak_memory_mb": -1}, None, {}, None),
        ({"usage": {"peak_memory_mb": 0.0}, "peak_memory_mb": 5}, 5.0, {}, None),
        ({"peak_memory_mb": "5", "inference_time_s": "0.1", "metrics": 7, "usage": []}, None, {}, None),
        ({"inference_time_s": 1e300, "peak_memory_mb": 7}, 7.0, {}, None),
        ({"inference_time_s": -0.5, "peak_memory_mb": True}, None, {}, None),
        ({"usage": {"inference_time_s": 2}, "inference_time_s": 3}, None, {}, 2.0),
    ],
)
def test_a_figure_that_makes_no_sense_costs_that_figure_and_nothing_else(
    fields: dict[str, object], memory_mb: float | None, stages: dict[str, float], inference_s: float | None
) -> None:
    reply = image_generations.read(answer(PNG, **fields), "t2i", 1)
    assert (reply.error, reply.stage_durations) == (ErrorKind.NONE, stages)
    assert reply.peak_memory_mb == pytest.approx(math.nan if memory_mb is None else memory_mb, nan_ok=True)
    assert reply.inference_s == pytest.approx(math.nan if inference_s is None else inference_s, nan_ok=True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text() | st.just(PNG),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["data", "b64_json", "usage", "error", "metrics", "peak_memory_mb"]), inner)
    ),
    max_leaves=12,
)


@given(st.binary() | JSON.map(orjson.dumps) | JSON.map(lambda data: orjson.dumps({"data": data, "usage": data})))
def test_nothing_makes_reading_raise(body: bytes) -> None:
    reply = image_generations.read(body, "t2i", 1)
    assert len(reply.detail) <= 200
    assert bool(reply.detail) == (reply.error is not ErrorKind.NONE)
