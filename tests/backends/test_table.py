"""The table of endpoints: what it drives, what is put over every sample, and how users add their own."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from loadgen.backends import BACKENDS, Backend, JobBackend, backend_for, find_backend
from loadgen.bodies.extra_fields import check, with_extra_fields
from loadgen.datasets.input_images import synthetic_png
from loadgen.datasets.sample import Sample
from loadgen.errors import UsageError
from loadgen.options import IMAGE_INPUT_TASKS, TargetOptions
from loadgen.server.target import resolve
from tests.backends.test_image_edits import fields
from tests.support.commands import T2I, bench, run, server

PAIRS = [(one, task) for one in BACKENDS.values() for task in one.tasks]
IDS = [f"{one.name}-{task}" for one, task in PAIRS]
EVERYTHING = '{"guidance_scale":4.5,"num_inference_steps":7,"seed":null}'


def sample_for(task: str, **extra: Any) -> Sample:
    images = (synthetic_png(8, 4, 0),) if task in IMAGE_INPUT_TASKS else ()
    videos = ("http://127.0.0.1/a.mp4",) if task == "v2v" else ()
    return Sample(
        "a cat", width=64, height=32, num_inference_steps=50, seed=3, images=images, videos=videos, extra=extra
    )


def sent_fields(one: Backend, sample: Sample, task: str) -> dict[str, Any]:
    """The fields of a request beside the message, as values of JSON."""
    request = one.encode(sample, "sd3", task)
    if request.content_type != "application/json":
        return {key: orjson.loads(text) if text[:1].isdigit() and "x" not in text else text
                for key, text in fields(request).items()}  # fmt: skip
    payload: dict[str, Any] = orjson.loads(request.body)
    return {**payload, **payload.pop("extra_body", {}), **payload.pop("nvext", {})}


# The table


@pytest.mark.parametrize(("one", "task"), PAIRS, ids=IDS)
def test_every_endpoint_encodes_every_task_it_lists_and_is_found_by_its_name(one: Backend, task: str) -> None:
    assert backend_for(one.name, task) is one
    request = one.encode(sample_for(task), "sd3", task)
    assert (request.method, request.path) == ("POST", one.path)
    assert request.body


def test_the_table_names_every_backend_and_its_tasks_in_the_help() -> None:
    _, text, _ = run("bench", "--help", COLUMNS="1000")
    assert all(f"{name} ({' '.join(one.tasks)})" in text for name, one in BACKENDS.items())


@pytest.mark.parametrize(
    ("backend", "task", "n", "named_words"),
    [
        ("nonesuch", "t2i", 1, ("--backend nonesuch", "vllm-omni", "openai", "v1/images/edits")),
        ("openai", "t2v", 1, ("--task t2v", "--backend openai", "t2i")),
        ("v1/images/edits", "t2i", 1, ("--task t2i", "i2i, ti2i")),
        ("dynamo/videos", "t2v", 2, ("--n 2", "--backend dynamo/videos", "vllm-omni, openai, v1/images/edits")),
    ],
)
def test_what_does_not_go_together_is_named_with_what_would(
    backend: str, task: str, n: int, named_words: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError) as fault:
        backend_for(backend, task, n)
    assert all(word in str(fault.value) for word in named_words)


# --extra-body and --n


@pytest.mark.parametrize(("one", "task"), PAIRS, ids=IDS)
def test_an_extra_body_wins_over_rows_and_flags_in_every_dialect(one: Backend, task: str) -> None:
    target = TargetOptions(backend=one.name, extra_body=orjson.loads(EVERYTHING))
    (sample,) = with_extra_fields([sample_for(task, guidance_scale=1.0, seed=4, negative_prompt="blur")], target)
    sent = sent_fields(one, sample, task)
    assert (sent["guidance_scale"], sent["negative_prompt"]) == (4.5, "blur")
    assert sent.get("num_inference_steps") == (None if "lightx2v" in one.name else 7)  # set when that server starts
    assert "seed" not in sent


def test_steps_and_frames_of_an_extra_body_are_known_to_warm_ups_and_the_slo() -> None:
    target = TargetOptions(extra_body={"num_inference_steps": 7, "num_frames": 5, "width": 9})
    (sample,) = with_extra_fields([Sample("a", width=64, num_inference_steps=50, extra={"num_frames": 3})], target)
    assert (sample.num_inference_steps, sample.num_frames, sample.width) == (7, 5, 64)
    assert sample.extra == {"width": 9}


@pytest.mark.parametrize("steps", ["many", 0, True, 2.5])
def test_an_extra_body_that_no_server_may_like_is_sent_as_it_stands(steps: object) -> None:
    (sample,) = with_extra_fields([sample_for("t2i")], TargetOptions(extra_body={"num_inference_steps": steps}))
    assert sent_fields(find_backend("openai"), sample, "t2i")["num_inference_steps"] == steps


def test_without_flags_the_samples_stay_the_very_same() -> None:
    samples = [sample_for("t2i")]
    assert with_extra_fields(samples, TargetOptions()) is samples


@pytest.mark.parametrize(("one", "task"), [pair for pair in PAIRS if pair[0].takes_n])
def test_n_goes_along_where_an_endpoint_takes_it(one: Backend, task: str) -> None:
    (sample,) = with_extra_fields([sample_for(task)], TargetOptions(n=3, extra_body={"seed": 1}))
    sent = sent_fields(one, sample, task)
    key = "n" if "images" in one.path else "num_outputs_per_prompt"
    assert (sent[key], len({"n", "num_outputs_per_prompt"} & sent.keys())) == (3, 1)


@pytest.mark.parametrize(
    ("key", "flag"), [("prompt", "--dataset"), ("messages", "--dataset"), ("model", "--model"), ("n", "--n")]
)
def test_what_has_a_flag_of_its_own_is_no_extra(key: str, flag: str) -> None:
    with pytest.raises(UsageError, match=f"--extra-body: {key} .*{flag}"):
        check({"seed": 1, key: "x"})


@pytest.mark.parametrize(
    ("text", "named_word"),
    [("[1]", "object"), ("7", "object"), ("{", "JSON"), ("seed=1", "JSON"), ('{"model":"x"}', "--model")],
)
def test_an_extra_body_that_is_no_object_is_bad_usage(text: str, named_word: str) -> None:
    code, _, err = run("bench", *T2I, "--extra-body", text)
    assert code == 2
    assert err.startswith("loadgen: --extra-body")
    assert named_word in err


# Authorization


@pytest.mark.parametrize(
    ("options", "authorization"),
    [
        ({"backend": "openai"}, "Bearer EMPTY"),
        ({"backend": "v1/images/edits"}, "Bearer EMPTY"),
        ({"backend": "vllm-omni"}, None),
        ({"backend": "openai", "api_key": "sk-1"}, "Bearer sk-1"),
        ({"backend": "vllm-omni", "api_key": "sk-1"}, "Bearer sk-1"),
        ({"backend": "openai", "headers": {"authorization": "Token 7"}}, "Token 7"),
        ({"backend": "openai", "base_url": "http://me:pw@127.0.0.1:1"}, "Basic bWU6cHc="),
    ],
)
def test_a_bearer_token_goes_along_where_servers_want_one(options: dict[str, Any], authorization: str | None) -> None:
    headers = resolve(TargetOptions(**{"base_url": "http://127.0.0.1:1", **options})).headers
    assert [value for name, value in headers.items() if name.lower() == "authorization"] == [
        one for one in (authorization,) if one
    ]


# Endpoints of others


MODULE = """
from loadgen.backends import image_generations as images
name, path, tasks = "mine", images.path, ("t2i",)
needs_authorization, takes_n, headers, requested_size = True, False, (), images.requested_size
def encode(sample, model, task):
    return images.encode(sample, "mine:" + model, task)
read, media = images.read, images.media
"""


def install(folder: Path, module: str, source: str, backend: str = "mine") -> None:
    """What pip leaves behind: the module, and a dist-info that names its entry point."""
    (folder / f"{module}.py").write_text(source)
    about = folder / f"{module}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[loadgen.backends]\n{backend} = {module}\n")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    sys.path.insert(0, str(tmp_path))
    yield tmp_path
    sys.path.remove(str(tmp_path))


def test_an_endpoint_of_an_installed_package_carries_a_run(tmp_path: Path) -> None:
    install(tmp_path, "carrying_endpoint", MODULE)
    with server(base_ms=1, unit_ms=0) as url:
        result = bench(*T2I, "--base-url", url, "--backend", "mine", "--num-prompts", "3", PYTHONPATH=str(tmp_path))
    assert (result["completed_requests"], result["backend"]) == (3, "mine")


def test_an_installed_endpoint_is_loaded_only_when_it_is_named(site: Path) -> None:
    install(site, "lazy_endpoint", MODULE)
    backend_for("openai", "t2i")
    assert "lazy_endpoint" not in sys.modules
    with pytest.raises(UsageError, match=r"nonesuch.*mine"):
        backend_for("nonesuch", "t2i")
    assert "lazy_endpoint" not in sys.modules
    assert bytes(backend_for("mine", "t2i").encode(Sample("a"), "sd3", "t2i").body).startswith(b'{"n":1')
    assert "lazy_endpoint" in sys.modules


def test_an_installed_endpoint_has_jobs_if_it_can_poll_them(site: Path) -> None:
    install(site, "job_endpoint", "from loadgen.backends.videos import *\nname = 'mine'\n")
    assert isinstance(backend_for("mine", "t2v"), JobBackend)
    assert [one.name for one in BACKENDS.values() if isinstance(one, JobBackend)] == [
        "v1/videos",
        "lightx2v-image",
        "lightx2v-video",
    ]


def test_an_installed_endpoint_does_not_replace_one_of_ours(site: Path) -> None:
    install(site, "impostor_endpoint", MODULE, backend="openai")
    assert backend_for("openai", "t2i") is BACKENDS["openai"]


@pytest.mark.parametrize(
    ("module", "source", "problem"),
    [
        ("broken_endpoint", "raise RuntimeError('no weights')", "cannot import broken_endpoint .*no weights"),
        (
            "partial_endpoint",
            "name = 'mine'; tasks = ()",
            "partial_endpoint has no path, .*requested_size, encode, read",
        ),
        ("jobless_endpoint", MODULE + "poll = images.read\n", "jobless_endpoint has no read_job, content, delete; add"),
    ],
)
def test_an_installed_endpoint_that_cannot_serve_is_named_with_what_it_lacks(
    site: Path, module: str, source: str, problem: str
) -> None:
    install(site, module, source)
    with pytest.raises(UsageError, match=f"--backend mine: {problem}"):
        backend_for("mine", "t2i")


@pytest.mark.parametrize(
    ("backend", "fields"),
    [
        ("vllm-omni", {"bot_task", "return_stage_metrics"}),
        ("openai", {"bot_task", "return_stage_metrics"}),
        ("v1/images/edits", {"bot_task", "return_stage_metrics"}),
        ("v1/videos", {"return_stage_metrics"}),
        ("v1/videos/sync", {"return_stage_metrics"}),
        ("somebody's own", set()),
    ],
)
def test_a_flag_becomes_a_field_only_where_servers_read_it(backend: str, fields: set[str]) -> None:
    target = TargetOptions(backend=backend, bot_task="think", return_stage_metrics=True)
    (sample,) = with_extra_fields([sample_for("i2i")], target)
    assert set(sample.extra) == fields


def test_the_field_of_a_flag_gives_way_to_the_row_and_the_row_to_an_extra_body() -> None:
    target = TargetOptions(backend="openai", bot_task="think", extra_body={"return_stage_metrics": None})
    own, other = with_extra_fields([sample_for("t2i", bot_task="own"), sample_for("t2i")], target)
    assert (own.extra["bot_task"], other.extra["bot_task"]) == ("own", "think")
    target = TargetOptions(backend="openai", bot_task="think", extra_body={"bot_task": "mine"})
    (sample,) = with_extra_fields([sample_for("t2i", bot_task="own")], target)
    assert sample.extra["bot_task"] == "mine"
