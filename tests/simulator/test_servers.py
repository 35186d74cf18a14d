"""The profiles of the simulated server, row by row against what the real servers answered (2026-11-25)."""

import asyncio
import base64
import io
from typing import Any

import aiohttp
import orjson
import pytest
from PIL import Image

from loadgen.media import headers
from loadgen.simulator.engine.jpeg import jpeg
from loadgen.simulator.engine.options import KINDS, SERVERS
from loadgen.simulator.engine.png import png
from loadgen.simulator.servers import PROFILES
from tests.simulator.test_simulator import simulator

V, S = "vllm-omni-0.30", "sglang-0.5.23"
CHAT, GENERATIONS, EDITS, VIDEOS = "/v1/chat/completions", "/v1/images/generations", "/v1/images/edits", "/v1/videos"
PICTURE = png(300, 200)
BASE64 = {"prompt": "a", "response_format": "b64_json", "size": "64x64"}
FAST = {"base_ms": 1, "unit_ms": 0}

Answer = tuple[int, Any]


async def call(client: aiohttp.ClientSession, method: str, path: str, **body: Any) -> Answer:
    """Status and body of an answer; the body as JSON where it is."""
    async with client.request(method, path, **body) as answer:
        content = await answer.read()
        return answer.status, orjson.loads(content) if answer.content_type == "application/json" else content


def form(**fields: str | bytes) -> aiohttp.FormData:
    """A multipart form; bytes are pictures, and several of one name end in a digit."""
    built = aiohttp.FormData(default_to_multipart=True)
    for name, value in fields.items():
        if isinstance(value, bytes):
            built.add_field(name.rstrip("0123456789"), value, filename="a.png", content_type="image/png")
        else:
            built.add_field(name, value)
    return built


def ask(server: str, kind: str, *calls: tuple[str, str, dict[str, Any]], **options: Any) -> list[Answer]:
    """The answers of one server to several requests, one after the other."""

    async def scene() -> list[Answer]:
        async with simulator(server=server, kind=kind, **{**FAST, **options}) as client:
            return [await call(client, method, path, **body) for method, path, body in calls]

    return asyncio.run(scene())


def post(path: str, body: dict[str, Any] | aiohttp.FormData) -> tuple[str, str, dict[str, Any]]:
    return "POST", path, {"json" if isinstance(body, dict) else "data": body}


def get(path: str) -> tuple[str, str, dict[str, Any]]:
    return "GET", path, {}


def media(answer: Answer) -> list[tuple[str, int | None, int | None]]:
    """Type, width and height of the images of an answer in base64."""
    found = [headers.describe(base64.b64decode(item["b64_json"])) for item in answer[1]["data"]]
    return [(one.mime, one.width, one.height) for one in found if one]


# What a server says of itself


def test_the_table_has_every_server_that_the_flag_names() -> None:
    assert tuple(PROFILES) == SERVERS


@pytest.mark.parametrize("kind", KINDS)
def test_the_servers_tell_their_model_and_sglang_its_task(kind: str) -> None:
    (_, v), (v_info, _), (_, s), (_, s_info) = [
        *ask(V, kind, get("/v1/models"), get("/v1/model_info")),
        *ask(S, kind, get("/v1/models"), get("/v1/model_info")),
    ]
    assert (v["data"][0]["id"], v["data"][0]["owned_by"], v_info) == (PROFILES[V].models[kind], "vllm", 404)
    assert "task_type" not in v["data"][0]
    assert s["data"][0]["task_type"] == {"image": "T2I", "edit": "I2I", "video": "T2V"}[kind]
    assert s["data"][0]["supported_task_types"] == [s["data"][0]["task_type"]]
    assert s_info == {"model_path": s["data"][0]["id"]}


def test_a_model_name_that_is_given_is_the_one_that_is_served() -> None:
    ((_, found),) = ask(V, "image", get("/v1/models"), model="mine")
    assert found["data"][0]["id"] == "mine"


@pytest.mark.parametrize(
    ("server", "health", "chat", "sync"),
    [(V, {"status": "healthy"}, {"post"}, {"post"}), (S, {"status": "ok"}, None, None)],
)
def test_paths_are_listed_and_unknown_ones_answered_as_fastapi_does(
    server: str, health: dict[str, str], chat: set[str] | None, sync: set[str] | None
) -> None:
    calls = (get("/health"), get("/openapi.json"), get("/v1/nothing"), get(EDITS), post(VIDEOS + "/sync", form()))
    alive, (_, listed), nothing, wrong, videos_sync = ask(server, "video", *calls)
    assert alive == (200, health)
    assert nothing == (404, {"detail": "Not Found"})
    assert wrong == (405, {"detail": "Method Not Allowed"})
    paths = {path: set(methods) for path, methods in listed["paths"].items()}
    assert paths[VIDEOS] == paths[GENERATIONS] == paths[EDITS] == {"post"}
    assert paths[VIDEOS + "/{id}"] == {"get", "delete"}
    assert (paths.get(CHAT), paths.get(VIDEOS + "/sync")) == (chat, sync)
    assert not any(path.startswith(("/sim", "/metrics")) for path in paths)
    assert videos_sync[0] == (400 if sync else 405)


def test_any_server_has_no_list_of_paths_and_answers_what_is_unknown_as_before() -> None:
    assert [status for status, _ in ask("any", "image", get("/openapi.json"), get("/health"))] == [404, 200]


def test_chat_is_missing_on_sglang_and_ignores_the_model_on_vllm_omni() -> None:
    body = {"model": "x", "messages": [{"role": "user", "content": "a"}], "extra_body": {"num_outputs_per_prompt": 2}}
    ((s, _),) = ask(S, "image", post(CHAT, body))
    ((v, answer),) = ask(V, "image", post(CHAT, body))
    assert (s, v) == (404, 200)
    content = answer["choices"][0]["message"]["content"]
    assert [item["stage_durations"] for item in content] == [{}, {}]
    assert all(item["peak_memory_mb"] > 0 for item in content)


# Requests that are refused


@pytest.mark.parametrize(
    ("kind", "request_"),
    [
        ("image", post(GENERATIONS, {"prompt": "a", "model": "default"})),
        ("edit", post(EDITS, form(prompt="a", model="default", image=PICTURE))),
        ("video", post(VIDEOS, form(prompt="a", model="default"))),
    ],
)
def test_vllm_omni_refuses_another_model_and_sglang_takes_it(kind: str, request_: Any) -> None:
    ((status, body),) = ask(V, kind, request_)
    message = f"Model mismatch: request specifies 'default' but server is running '{PROFILES[V].models[kind]}'."
    assert (status, body["error"]["message"], body["error"]["code"]) == (400, message, 400)


def test_sglang_takes_any_model_and_echoes_it_in_a_job() -> None:
    image, job = (
        ask(S, "image", post(GENERATIONS, {**BASE64, "model": "default"}))[0],
        ask(S, "video", post(VIDEOS, {"prompt": "a", "model": "default"}))[0],
    )
    assert (image[0], job[0], job[1]["model"]) == (200, 200, "default")


@pytest.mark.parametrize(
    ("server", "kind", "request_", "status", "message"),
    [
        (V, "edit", post(EDITS, form(prompt="a")), 422, "Field 'image' or 'url' is required"),
        (S, "edit", post(EDITS, form(prompt="a")), 422, "Field 'image' or 'url' is required"),
        (V, "image", post(GENERATIONS, {"prompt": "a", "response_format": "url"}), 400, "response_format"),
        (V, "edit", post(EDITS, form(prompt="a", image=PICTURE, response_format="url")), 400, "response_format"),
        (V, "image", post(GENERATIONS, {"prompt": "a", "n": 11}), 400, "1 to 10"),
        (V, "image", post(GENERATIONS, {"prompt": "a", "size": "big"}), 400, "size"),
        (S, "image", post(GENERATIONS, {"prompt": "a", "size": "big"}), 400, "size"),
        (S, "edit", post(EDITS, form(prompt="a", image=PICTURE, size="auto")), 400, "size"),
        (V, "video", post(VIDEOS, {"prompt": "a"}), 400, "form"),
        (V, "video", post(VIDEOS, form(size="64x64")), 400, "prompt"),
        (S, "video", post(VIDEOS, form(size="64x64")), 400, "prompt is required"),
        (V, "video", post(GENERATIONS, {"prompt": "a"}), 400, "Unsupported image type"),
        (V, "video", post(CHAT, {"messages": [{"role": "user", "content": "a"}]}), 500, "no attribute 'save'"),
        (S, "video", post(GENERATIONS, {"prompt": "a"}), 400, "does not support IMAGE output"),
        (S, "image", post(VIDEOS, form(prompt="a")), 400, "does not support VIDEO output"),
        (S, "image", post(EDITS, form(prompt="a", image=PICTURE)), 400, "not supported for T2I"),
        (V, "image", get(VIDEOS + "/none"), 404, "Video not found"),
        (S, "image", get(VIDEOS + "/none/content"), 404, "Video not found"),
    ],
)
def test_refusals_have_the_servers_own_status_and_shape(
    server: str, kind: str, request_: Any, status: int, message: str
) -> None:
    ((found, body),) = ask(server, kind, request_)
    text = body["error"]["message"] if server == V else body["detail"]
    assert found == status, text
    assert message in text


def test_a_failure_of_the_engine_is_an_error_object_on_vllm_omni_and_plain_text_on_sglang() -> None:
    words = {"prompt": "please break", "size": "64x64"}
    ((status, body),) = ask(V, "image", post(GENERATIONS, words), fail_prompt="break")
    assert (status, body["error"]["type"], body["error"]["code"]) == (500, "InternalServerError", 500)
    assert ask(S, "image", post(GENERATIONS, words), fail_prompt="break") == [(500, b"Internal Server Error")]


# Images


@pytest.mark.parametrize(("server", "kind"), [(V, "image/png"), (S, "image/jpeg")])
def test_a_size_is_rounded_down_and_the_images_are_of_the_servers_kind(server: str, kind: str) -> None:
    (answer,) = ask(server, "image", post(GENERATIONS, {**BASE64, "size": "1000x1000", "n": 2}))
    assert media(answer) == [(kind, 992, 992)] * 2
    assert answer[1].get("size") == ("992x992" if server == V else None)


def test_the_kind_of_the_images_can_be_chosen() -> None:
    (v,) = ask(V, "image", post(GENERATIONS, {**BASE64, "output_format": "jpeg"}))
    (s,) = ask(S, "image", post(GENERATIONS, {**BASE64, "output_format": "png"}))
    assert (media(v)[0][0], media(s)[0][0]) == ("image/jpeg", "image/png")


def test_sglang_clamps_n_and_vllm_omni_counts_its_images_when_asked() -> None:
    (s,) = ask(S, "image", post(GENERATIONS, {**BASE64, "n": 99}))
    (v,) = ask(V, "image", post(GENERATIONS, {**BASE64, "n": 2, "return_stage_metrics": True}))
    assert (len(s[1]["data"]), v[1]["metrics"]["num_images"]) == (10, 2)


def test_figures_stand_where_the_server_puts_them_and_stages_need_the_profiler() -> None:
    (v,), (profiled,), (s,) = (
        ask(server, "image", post(GENERATIONS, BASE64), profiler=profiler)
        for server, profiler in ((V, False), (V, True), (S, False))
    )
    assert v[1]["metrics"]["stage_durations"] is None
    assert v[1]["metrics"]["peak_memory_mb"] > 0
    assert list(profiled[1]["metrics"]["stage_durations"]) == ["queue", "denoise", "decode"]
    assert s[1]["inference_time_s"] == 0.001
    assert s[1]["peak_memory_mb"] > 0
    assert "metrics" not in s[1]


def test_sglang_answers_a_generation_by_a_relative_url_unless_base64_is_asked_for() -> None:
    async def scene() -> None:
        async with simulator(server=S, **FAST) as client:
            _, body = await call(client, "POST", GENERATIONS, json={"prompt": "a", "size": "1000x1000", "n": 2})
            assert [item["b64_json"] for item in body["data"]] == [None, None]
            for i, item in enumerate(body["data"]):
                assert item["url"].startswith("/v1/images/")
                assert item["url"].endswith(f"/content?variant={i}")
                async with client.get(item["url"]) as answer:
                    assert (answer.status, answer.content_type) == (200, "image/jpeg")
                    assert Image.open(io.BytesIO(await answer.read())).size == (992, 992)
            assert await call(client, "GET", "/v1/images/none/content") == (404, {"detail": "Image not found"})

    asyncio.run(scene())


def test_an_edit_takes_several_pictures_and_vllm_omni_follows_the_first_in_size() -> None:
    for name in ("image", "image[]"):
        built = form(prompt="a", n="2", **{f"{name}1": PICTURE, f"{name}2": PICTURE})
        assert media(ask(V, "edit", post(EDITS, built))[0]) == [("image/png", 288, 192)] * 2
    (auto,) = ask(V, "edit", post(EDITS, form(prompt="a", size="auto", image=PICTURE)))
    (s,) = ask(S, "edit", post(EDITS, form(prompt="a", image=PICTURE)))
    assert (media(auto), media(s)) == ([("image/png", 288, 192)], [("image/jpeg", 1024, 1024)])


@pytest.mark.parametrize(("width", "height", "size"), [(1, 1, 0), (33, 17, 300_000), (992, 992, 20_000)])
def test_a_jpeg_is_of_the_size_asked_for_in_pixels_and_bytes(width: int, height: int, size: int) -> None:
    data = jpeg(width, height, size)
    picture = Image.open(io.BytesIO(data))
    picture.load()
    assert (picture.format, picture.size) == ("JPEG", (width, height))
    assert size <= len(data) <= max(size + 4, 8000)


@pytest.mark.parametrize(
    ("server", "path", "body"),
    [("dynamo", VIDEOS, {"model": "wan", "prompt": "a"}), ("lightx2v", "/v1/tasks/video/", {"prompt": "a"})],
)
def test_the_servers_with_formats_of_their_own_speak_no_other(server: str, path: str, body: dict[str, str]) -> None:
    made, chat, image = ask(
        server, "video", post(path, body), post(CHAT, {"messages": []}), post(GENERATIONS, BASE64), model="wan"
    )
    assert (made[0], chat[0], image[0]) == (200, 404, 404)
