"""The endpoint `vllm-omni`: payloads field by field, and what each kind of answer is read as."""

import base64
import io
import math
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from collector.records.record import ErrorKind
from loadgen.backends import BACKENDS, backend_for, chat_completions
from loadgen.datasets.sample import Sample
from loadgen.errors import InputError, UsageError
from loadgen.options import TASKS
from loadgen.simulator.engine.mp4 import mp4

PNG_URL = "data:image/png;base64,iVBORw0KGgo="
MP4_URL = "data:video/mp4;base64,AAAAIGZ0eXA="


def picture(form: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 4), "red").save(buffer, form)
    return buffer.getvalue()


def payload(sample: Sample, task: str = "t2i") -> object:
    return orjson.loads(chat_completions.encode(sample, "sd3", task).body)


def user(content: object) -> list[object]:
    return [{"role": "user", "content": content}]


def answer(*items: object, **top: object) -> bytes:
    return orjson.dumps({"choices": [{"message": {"content": list(items)}}], **top})


def item(url: object, **beside: object) -> dict[str, object]:
    return {"image_url": {"url": url}, **beside}


# The table of endpoints


def test_chat_completions_take_every_task() -> None:
    assert [backend_for("vllm-omni", task).path for task in TASKS] == ["/v1/chat/completions"] * len(TASKS)


def test_every_endpoint_is_listed_under_its_own_name() -> None:
    assert list(BACKENDS) == [found.name for found in BACKENDS.values()]


@pytest.mark.parametrize(
    ("backend", "task", "named"),
    [("vllm", "t2i", ("--backend vllm", "vllm-omni")), ("vllm-omni", "t2x", ("--task t2x", "t2i", "ti2v"))],
)
def test_an_unknown_backend_or_task_is_named_with_the_valid_ones(
    backend: str, task: str, named: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError) as fault:
        backend_for(backend, task)
    assert all(word in str(fault.value) for word in named)


# Requests


def test_a_request_is_a_json_post_to_chat_completions() -> None:
    request = chat_completions.encode(Sample("a cat"), "sd3", "t2i")
    assert (request.method, request.path, request.content_type) == ("POST", "/v1/chat/completions", "application/json")


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        (Sample("a cat"), {"model": "sd3", "messages": user("a cat")}),
        (Sample(""), {"model": "sd3", "messages": user("")}),
        (
            Sample("a cat", "r1", 640, 480, 80, 50, 7, 16, 900.0, 1.5),
            {
                "model": "sd3",
                "messages": user("a cat"),
                "extra_body": {
                    "height": 480,
                    "width": 640,
                    "num_frames": 80,
                    "num_inference_steps": 50,
                    "seed": 7,
                    "fps": 16,
                },
            },
        ),
        (Sample("a cat", seed=0), {"model": "sd3", "messages": user("a cat"), "extra_body": {"seed": 0}}),
        (Sample("a cat", width=640), {"model": "sd3", "messages": user("a cat")}),
        (
            Sample("a cat", height=640, seed=1),
            {"model": "sd3", "messages": user("a cat"), "extra_body": {"seed": 1}},
        ),
        (
            Sample("a cat", extra={"negative_prompt": "blurry", "true_cfg_scale": 4.0}),
            {
                "model": "sd3",
                "messages": user("a cat"),
                "extra_body": {"negative_prompt": "blurry", "true_cfg_scale": 4.0},
            },
        ),
    ],
    ids=["prompt only", "empty prompt", "all fields", "seed 0", "width alone", "height alone", "extras"],
)
def test_a_text_payload_holds_exactly_what_the_sample_says(sample: Sample, expected: object) -> None:
    assert payload(sample) == expected


@pytest.mark.parametrize(("form", "mime"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")])
def test_an_image_file_goes_along_as_a_data_url_of_its_real_type(form: str, mime: str, tmp_path: Path) -> None:
    file = tmp_path / "misnamed.bin"
    file.write_bytes(picture(form))
    url = f"data:{mime};base64,{base64.b64encode(picture(form)).decode()}"
    assert payload(Sample("wave", images=(file,)), "ti2v") == {
        "model": "sd3",
        "messages": user([{"type": "text", "text": "wave"}, {"type": "image_url", "image_url": {"url": url}}]),
    }


def test_an_empty_prompt_beside_images_is_left_out() -> None:
    data = picture("PNG")
    url = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    part = {"type": "image_url", "image_url": {"url": url}}
    assert payload(Sample("", images=(data, data)), "i2i") == {"model": "sd3", "messages": user([part, part])}


def test_a_task_without_image_input_sends_the_prompt_alone() -> None:
    assert payload(Sample("wave", images=(picture("PNG"),)), "t2v") == {"model": "sd3", "messages": user("wave")}


def test_an_image_file_is_read_once_for_many_requests(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(picture("PNG"))
    first = chat_completions.encode(Sample("a", images=(file,)), "sd3", "i2i")
    file.unlink()
    assert chat_completions.encode(Sample("a", images=(file,)), "sd3", "i2i") == first


def test_an_image_that_cannot_be_used_is_named_by_its_path(tmp_path: Path) -> None:
    text = tmp_path / "notes.png"
    text.write_text("no image")
    for file in (tmp_path / "missing.png", text):
        with pytest.raises(InputError, match=file.name):
            chat_completions.encode(Sample("a", images=(file,)), "sd3", "i2i")


@pytest.mark.parametrize("value", [{1, 2}, 1 << 70, "\ud800"])
def test_a_value_that_json_cannot_hold_names_its_sample(value: object) -> None:
    with pytest.raises(UsageError, match="req-7"):
        chat_completions.encode(Sample("a", request_id="req-7", extra={"odd": value}), "sd3", "t2i")


# Replies


@pytest.mark.parametrize(
    ("body", "task", "error", "detail"),
    [
        (answer(item(PNG_URL)), "t2i", ErrorKind.NONE, ""),
        (answer(item(MP4_URL)), "i2v", ErrorKind.NONE, ""),
        (answer({"type": "text", "text": "here"}, item(PNG_URL)), "ti2i", ErrorKind.NONE, ""),
        (answer(item("DATA:Image/PNG;charset=x;BASE64,AAAA")), "t2i", ErrorKind.NONE, ""),
        (answer(item(PNG_URL), error=None), "t2i", ErrorKind.NONE, ""),
        (answer(item(PNG_URL)), "t2v", ErrorKind.NO_MEDIA, "no video in content, but data:image/png"),
        (answer(item(MP4_URL)), "i2i", ErrorKind.NO_MEDIA, "no image in content, but data:video/mp4"),
        (answer(item("https://cdn/x.png")), "t2i", ErrorKind.NO_MEDIA, "https://cdn/x.png"),
        (answer(item("data:image/png;base64,")), "t2i", ErrorKind.NO_MEDIA, "no image"),
        (answer(item(None), {}, 3, {"image_url": 4}), "t2i", ErrorKind.NO_MEDIA, "no URL"),
        (answer(), "t2i", ErrorKind.NO_MEDIA, "empty"),
        (b'{"choices":[{"message":{"content":null}}]}', "t2i", ErrorKind.NO_MEDIA, "empty"),
        (b'{"choices":[{"message":{"content":"I  cannot\\ndo that"}}]}', "t2i", ErrorKind.NO_MEDIA, "I cannot do that"),
        (b'{"choices":[{"message":{"content":7}}]}', "t2i", ErrorKind.INVALID_BODY, "not a list"),
        (b'{"choices":[{"message":{}}]}', "t2i", ErrorKind.INVALID_BODY, "content"),
        (b'{"choices":[]}', "t2i", ErrorKind.INVALID_BODY, "choices[0]"),
        (b'{"choices":{"0":1}}', "t2i", ErrorKind.INVALID_BODY, "choices[0]"),
        (b"[]", "t2i", ErrorKind.INVALID_BODY, "object"),
        (b"", "t2i", ErrorKind.INVALID_BODY, "JSON"),
        (b"<html>busy</html>", "t2i", ErrorKind.INVALID_BODY, "JSON"),
        (b'{"error":{"message":"out of memory","code":500}}', "t2i", ErrorKind.SERVER_ERROR, "out of memory"),
        (b'{"error":"out of memory"}', "t2i", ErrorKind.SERVER_ERROR, "out of memory"),
        (b'{"error":{"code":13}}', "t2i", ErrorKind.SERVER_ERROR, '{"code":13}'),
        (answer(item(PNG_URL), error={"message": "late"}), "t2i", ErrorKind.SERVER_ERROR, "late"),
    ],
)
def test_an_answer_is_read_as_what_it_holds(body: bytes, task: str, error: ErrorKind, detail: str) -> None:
    reply = chat_completions.read(body, task)
    assert reply.error == error
    assert detail in reply.detail
    assert bool(reply.detail) == (error is not ErrorKind.NONE)


def test_a_memoryview_is_read_like_bytes() -> None:
    assert chat_completions.read(memoryview(bytearray(answer(item(PNG_URL)))), "t2i").error == ErrorKind.NONE


def test_a_long_error_message_is_cut_to_1000_characters() -> None:
    assert chat_completions.read(orjson.dumps({"error": {"message": "x" * 5000}}), "t2i").detail == "x" * 1000


def test_all_of_the_outputs_that_were_asked_for_must_come() -> None:
    two = answer(item(PNG_URL), item(PNG_URL))
    assert len(chat_completions.read(two, "t2i", 2).media) == 2
    assert chat_completions.read(two, "t2i", 3).detail.startswith("2 of 3 images in content")


def test_an_input_video_is_a_part_with_its_url_or_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "clip.mp4"
    file.write_bytes(mp4(8, 8, 2))
    sample = Sample("a cat", videos=("https://x/a.mp4", file))
    first, second, third = orjson.loads(chat_completions.encode(sample, "m", "v2v").body)["messages"][0]["content"]
    assert first == {"type": "text", "text": "a cat"}
    assert second == {"type": "video_url", "video_url": {"url": "https://x/a.mp4"}}
    assert third["video_url"]["url"].startswith("data:video/mp4;base64,")
    assert orjson.loads(chat_completions.encode(sample, "m", "t2v").body)["messages"][0]["content"] == "a cat"


@pytest.mark.parametrize(
    ("body", "stages", "peak"),
    [
        (answer(item(PNG_URL, stage_durations={"denoise": 1.5, "vae": 0}, peak_memory_mb=9)), (1.5, 0.0), 9.0),
        (answer(item(PNG_URL), metrics={"stage_durations": {"denoise": 2}, "peak_memory_mb": 8.5}), (2.0,), 8.5),
        (answer(item(PNG_URL), peak_memory_mb=7), (), 7.0),
        (answer(item(PNG_URL, peak_memory_mb=1), metrics={"peak_memory_mb": 2}, peak_memory_mb=3), (), 1.0),
        (answer(item(PNG_URL, stage_durations={"a": -1, "b": "2", "c": True, "d": None, "e": 3})), (3.0,), math.nan),
        (answer(item(PNG_URL, stage_durations=[1], peak_memory_mb="9"), metrics=[4]), (), math.nan),
        (answer(item(PNG_URL, peak_memory_mb=-1)), (), math.nan),
    ],
)
def test_durations_and_memory_come_from_the_first_item_then_metrics_then_the_top(
    body: bytes, stages: tuple[float, ...], peak: float
) -> None:
    reply = chat_completions.read(body, "t2i")
    assert tuple(reply.stage_durations.values()) == stages
    assert reply.peak_memory_mb == pytest.approx(peak, nan_ok=True)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text()
    | st.just(PNG_URL),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "message", "content", "image_url", "url", "error", "metrics", "stage_durations"]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


@given(st.binary(), st.sampled_from(TASKS))
def test_no_bytes_make_reading_raise(body: bytes, task: str) -> None:
    chat_completions.read(body, task)


@given(JSON, JSON, JSON, st.sampled_from(TASKS))
def test_no_json_makes_reading_raise(content: object, error: object, metrics: object, task: str) -> None:
    body = {"choices": [{"message": {"content": content}}], "error": error, "metrics": metrics}
    for value in (body, content):
        reply = chat_completions.read(orjson.dumps(value), task)
        assert len(reply.detail) <= 1000
        assert all(amount >= 0 for amount in reply.stage_durations.values())
