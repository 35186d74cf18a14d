"""What a server's own answers decide: the path, the model and the task; a flag is never overruled."""

from collections.abc import Mapping
from typing import Any

import pytest

from loadgen.errors import UsageError
from loadgen.options import BenchOptions, DataOptions, TargetOptions
from loadgen.server.discovery import fill_in, server_paths

_PATHS = ("/v1/chat/completions", "/v1/images/generations")
VLLM: dict[str, Any] = {"/openapi.json": {"paths": {path: {"post": {}} for path in _PATHS}}}


def models(*names: str, **more: Any) -> dict[str, Any]:
    return {"/v1/models": {"data": [{"id": name, **more} for name in names]}}


def found(answers: Mapping[str, Any], data: DataOptions | None = None, **target: Any) -> tuple[str, str, str]:
    """Backend, model and task."""
    options = fill_in(BenchOptions(data=data or DataOptions(), target=TargetOptions(**target)), answers.get)
    return options.target.backend, str(options.target.model), str(options.data.task)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({}, ("v1/videos", "default", "t2v")),
        (models("Qwen/Qwen-Image"), ("openai", "Qwen/Qwen-Image", "t2i")),
        (models("Qwen/Qwen-Image-Edit"), ("v1/images/edits", "Qwen/Qwen-Image-Edit", "i2i")),
        (models("Wan-AI/Wan2.2-T2V-A14B-Diffusers"), ("v1/videos", "Wan-AI/Wan2.2-T2V-A14B-Diffusers", "t2v")),
        (models("x", task_type="TI2V"), ("v1/videos", "x", "ti2v")),
        (models("x", task_type="I2I"), ("v1/images/edits", "x", "i2i")),
        (models("x", supported_task_types=["text-to-image"]), ("openai", "x", "t2i")),
        (models("Wan2.1-T2V", task_type="T2I"), ("openai", "Wan2.1-T2V", "t2i")),
        ({"/v1/model_info": {"model_path": "black-forest-labs/FLUX.1-dev"}}, None),
        (models("Wan-AI/Wan2.2-TI2V-5B"), ("v1/videos", "Wan-AI/Wan2.2-TI2V-5B", "ti2v")),
        (models("Wan2.1-I2V-14B-480P"), ("v1/videos", "Wan2.1-I2V-14B-480P", "i2v")),
        (models("stabilityai/stable-diffusion-3-medium"), None),
        (models("HunyuanVideo"), ("v1/videos", "HunyuanVideo", "t2v")),
        (models("FLUX.1-Kontext-dev"), ("v1/images/edits", "FLUX.1-Kontext-dev", "i2i")),
        ({"/v1/models": {"data": "no list"}}, ("v1/videos", "default", "t2v")),
        ({"/v1/models": [1]}, ("v1/videos", "default", "t2v")),
        ({"/v1/models": {"data": [1, {"id": None}]}}, ("v1/videos", "default", "t2v")),
    ],
)
def test_what_is_left_open_comes_from_the_server(
    answers: Mapping[str, Any], expected: tuple[str, str, str] | None
) -> None:
    assert found(answers) == expected if expected else found(answers)[1] != "default"


def test_the_path_is_the_one_that_the_server_has() -> None:
    chat_only: dict[str, Any] = {"/openapi.json": {"paths": {"/v1/chat/completions": {"post": {}}}}}
    t2i = DataOptions(task="t2i")
    assert found(VLLM, t2i)[0] == "openai"
    assert found(chat_only, t2i)[0] == "vllm-omni"
    assert found({"/openapi.json": {"paths": {"/api/v1/images/generations": {"post": {}}}}}, t2i)[0] == "openai"
    assert found({"/openapi.json": {"paths": {"/v1/audio": {}}}}, t2i)[0] == "openai"
    assert found({"/openapi.json": {"paths": {"/v1/videos/sync": {"post": {}}}}}, DataOptions(task="t2v"))[0] == (
        "v1/videos/sync"
    )


def test_flags_are_taken_at_their_word() -> None:
    answers = VLLM | models("served", task_type="T2V")
    data = DataOptions(task="t2i")
    assert found(answers, data, backend="vllm-omni", model="default") == ("vllm-omni", "default", "t2i")
    assert found(answers, data, endpoint="/v1/chat/completions", model="m")[0] == "vllm-omni"
    assert found(answers, data, endpoint="/my/images/generations?x=1", model="m")[0] == "openai"
    assert found(answers, data, base_url="http://h:1/v1/images/generations", model="m")[0] == "openai"
    assert found(answers, data, endpoint="/generate", model="m")[0] == "openai"


def test_several_models_are_named_and_one_has_to_be_chosen() -> None:
    with pytest.raises(UsageError, match="--model: the server has 2 models: a, b; name one of them"):
        found(models("a", "b"))
    assert found(models("a", "b", task_type="T2I"), model="b") == ("openai", "b", "t2i")
    assert found(models("a", "a"))[1] == "a"


def test_what_was_chosen_and_why_is_one_line() -> None:
    answers = VLLM | models("Qwen/Qwen-Image")
    line = fill_in(BenchOptions(), answers.get).target.discovery
    assert "POST /v1/images/generations (backend openai, in /openapi.json)" in line
    assert "model Qwen/Qwen-Image (the only one in /v1/models)" in line
    assert "task t2i (by the model's name; --task says otherwise)" in line


def test_nobody_is_asked_where_nothing_is_open() -> None:
    def fail(path: str) -> Any:
        raise AssertionError(path)

    options = BenchOptions(data=DataOptions(task="t2i"), target=TargetOptions(backend="openai", model="m"))
    assert fill_in(options, fail).target.discovery == "POST /v1/images/generations (backend openai), model m, task t2i"


@pytest.mark.parametrize("document", [None, [], {}, {"paths": []}, {"paths": {}}])
def test_what_is_no_openapi_document_has_no_paths(document: object) -> None:
    assert server_paths(document) == []


def test_the_paths_of_a_server_are_those_with_a_post() -> None:
    assert server_paths({"paths": {"/a": {"post": {}}, "/b": {"get": {}}}}) == ["/a"]
