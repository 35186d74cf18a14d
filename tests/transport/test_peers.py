"""Our requests as real servers read them: directly and through nginx, by every transport, unchanged."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from PIL import Image

from loadgen.backends import BACKENDS, Backend, State, videos
from loadgen.bodies.extra_fields import with_extra_fields
from loadgen.bodies.request import Request
from loadgen.datasets.sample import Sample
from loadgen.options import IMAGE_INPUT_TASKS, VIDEO_TASKS, TargetOptions
from loadgen.server.target import resolve
from loadgen.simulator.engine.png import png
from loadgen.transport import NAMES, make_transport
from loadgen.transport.interface import Answer
from tests.support import nginx
from tests.support.commands import T2I, bench, fetch
from tests.support.peers import VIDEO, Seen, peer
from tests.transport.test_transport import ask

PROMPT = 'a "cat", née Ünal\r\n--x=1&y; 猫'
BIG = png(64, 32, 2_000_000)
MESSAGE = {"prompt": PROMPT, "num_inference_steps": 4, "seed": 5, "guidance_scale": 4.5, "negative_prompt": "é\r\n;"}
SIZED = {"size": "64x32", "response_format": "b64_json", "model": "sd3"}
FRAMED = {"width": 64, "height": 32, "num_frames": 3, "fps": 6}
NAMED = ("vllm-omni", "openai", "v1/images/edits", "v1/videos/sync")  # those that the peers speak
PAIRS = [(BACKENDS[name], task) for name in NAMED for task in BACKENDS[name].tasks if task != "v2v"]
ROUTES = ("direct", "nginx")


@pytest.fixture(scope="module")
def routes() -> Iterator[tuple[dict[str, str], Seen]]:
    """Base URLs by route, and what the peer at their end has understood."""
    with peer() as (direct, seen):
        if nginx.program() is None:
            yield {"direct": direct}, seen
            return
        with nginx.before(direct) as proxied:
            yield {"direct": direct, "nginx": proxied}, seen


def url_of(routes: dict[str, str], route: str) -> str:
    if route not in routes:
        assert os.environ.get("CI") != "true", "nginx is missing; install nginx-light"
        pytest.skip("nginx is missing; install nginx-light")
    return routes[route]


def photo(folder: Path) -> Path:
    file = folder / 'né "1".jpg'
    Image.new("RGB", (8, 4), "red").save(file, "JPEG")
    return file


def sample_for(task: str, folder: Path) -> Sample:
    images = (BIG, photo(folder))[: 1 if task in VIDEO_TASKS else 2] if task in IMAGE_INPUT_TASKS else ()
    extra = {"guidance_scale": 4.5, "negative_prompt": "é\r\n;"}
    frames, fps = (3, 6) if task in VIDEO_TASKS else (None, None)
    return Sample(PROMPT, "r1", 64, 32, frames, 4, 5, fps, images=images, extra=extra)


def understood(one: Backend, task: str, sample: Sample) -> dict[str, Any]:
    """What a server must have understood of a request."""
    data = [image if isinstance(image, bytes) else image.read_bytes() for image in sample.images]
    named = one.name != "vllm-omni"
    pairs = zip([("image.png", "image/png"), ("né %221%22.jpg", "image/jpeg")], data, strict=False)
    files = [[name if named else None, mime, hashlib.sha256(each).hexdigest()] for (name, mime), each in pairs]
    framed = FRAMED if task in VIDEO_TASKS else {"width": 64, "height": 32}
    own: dict[str, dict[str, Any]] = {
        "vllm-omni": {"model": "sd3", "files": files, **framed},
        "openai": {"n": 1, **SIZED},
        "v1/images/edits": {"files": files, **SIZED},
        "v1/videos/sync": {"model": "sd3", "size": "64x32", "files": files, **framed},
    }
    return {**MESSAGE, **own[one.name]}


def exchange(transport_name: str, url: str, backend: str, *requests: Request) -> list[Answer]:
    async def main() -> list[Answer]:
        transport = make_transport(transport_name, resolve(TargetOptions(base_url=url, backend=backend)))
        answers = []
        for request in requests:
            answer = await ask(transport, request)
            answers.append(answer._replace(body=bytes(answer.body)))
        await transport.close()
        return answers

    return uvloop.run(main())


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("transport", NAMES)
@pytest.mark.parametrize(("one", "task"), PAIRS, ids=[f"{one.name}-{task}" for one, task in PAIRS])
def test_a_real_server_understands_exactly_what_was_meant_and_its_answer_is_a_success(
    one: Backend, task: str, transport: str, route: str, routes: tuple[dict[str, str], Seen], tmp_path: Path
) -> None:
    urls, seen = routes
    sample = sample_for(task, tmp_path)
    (answer,) = exchange(transport, url_of(urls, route), one.name, one.encode(sample, "sd3", task))
    assert (answer.status, answer.detail) == (200, ""), answer.body
    assert one.read(answer.body, task).detail == ""
    assert list(one.media(bytes(answer.body)))
    assert {"files": [], **seen[-1]} == {"files": [], **understood(one, task, sample)}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("transport", NAMES)
def test_a_job_of_a_real_server_is_created_polled_fetched_and_deleted(
    transport: str, route: str, routes: tuple[dict[str, str], Seen], tmp_path: Path
) -> None:
    urls, seen = routes
    url, sample = url_of(urls, route), sample_for("i2v", tmp_path)
    (created,) = exchange(transport, url, "vllm-omni", videos.encode(sample, "sd3", "i2v"))
    job = videos.read_job(created.body)
    assert (job.state, job.parsed.detail) == (State.PENDING, "")
    assert seen[-1] == understood(BACKENDS["v1/videos/sync"], "i2v", sample)
    steps = (videos.poll, videos.poll, videos.content, videos.delete, videos.poll)
    first, second, content, deleted, gone = exchange(transport, url, "vllm-omni", *(step(job.id) for step in steps))
    assert videos.read_job(first.body, job.id).state is State.RUNNING
    found = videos.read_job(second.body, job.id)
    assert (found.state, found.parsed.peak_memory_mb) == (State.COMPLETED, 7.0)
    assert (content.body, videos.read_content(content.body).detail) == (VIDEO, "")
    assert (deleted.status, gone.status) == (200, 404)


def test_a_real_server_gets_as_many_images_asked_for_as_n_says(routes: tuple[dict[str, str], Seen]) -> None:
    urls, seen = routes
    for name, images in (("openai", ()), ("v1/images/edits", (BIG,))):
        one = BACKENDS[name]
        (sample,) = with_extra_fields([Sample("a", images=images)], TargetOptions(n=2))
        (answer,) = exchange("native", urls["direct"], name, one.encode(sample, "sd3", one.tasks[0]))
        assert seen[-1]["n"] == 2
        assert [one.read(answer.body, one.tasks[0], n).detail[:6] for n in (2, 3)] == ["", "2 of 3"]


def test_a_real_server_refuses_pictures_without_authorization(routes: tuple[dict[str, str], Seen]) -> None:
    request = BACKENDS["openai"].encode(Sample("a"), "sd3", "t2i")
    (answer,) = exchange("native", routes[0]["direct"], "vllm-omni", request)  # a backend that needs none sends none
    assert answer.status == 422
    assert b"authorization" in answer.body


@pytest.mark.parametrize("route", ROUTES)
def test_a_whole_run_against_a_real_server_succeeds(route: str, routes: tuple[dict[str, str], Seen]) -> None:
    words = ("--base-url", url_of(routes[0], route), "--backend", "openai", "--n", "2", "--extra-body", '{"seed":77}')
    result = bench(*T2I, *words, "--num-prompts", "4")
    assert (result["completed_requests"], result["peak_memory_mb_max"]) == (4, 5.0)
    assert [(one["n"], one["seed"]) for one in routes[1][-4:]] == [(2, 77)] * 4


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("transport", NAMES)
def test_a_run_of_jobs_against_a_real_server_fetches_every_video_and_leaves_no_job_behind(
    transport: str, route: str, routes: tuple[dict[str, str], Seen], tmp_path: Path
) -> None:
    url = url_of(routes[0], route)
    before = fetch(f"{url}/v1/videos")
    words = ("--backend", "v1/videos", "--task", "i2v", "--dataset", "random", "--num-frames", "3", "--disable-tqdm")
    kept = ("--save-dir", str(tmp_path), "--transport", transport, "--max-concurrency", "4", "--senders", "1")
    result = bench(*words, *kept, "--base-url", url, "--num-prompts", "6", "--warmup-requests", "1")
    assert (result["outcomes"]["ok"], result["peak_memory_mb_max"], result["errors"]) == (6, 7.0, {})
    assert result["processes"]["sender 0"]["undeleted"] == 0
    assert [file.read_bytes() for file in tmp_path.glob("*.mp4")] == [VIDEO] * 6
    assert 0 < result["completion_width"]["p50"] <= result["service"]["max"]
    assert routes[1][-1]["files"][0][1] == "image/png"
    assert fetch(f"{url}/v1/videos") == before


def test_the_peer_would_notice_a_field_of_the_wrong_type(routes: tuple[dict[str, str], Seen]) -> None:
    request = BACKENDS["openai"].encode(Sample("a", extra={"seed": "5"}), "sd3", "t2i")
    (answer,) = exchange("native", routes[0]["direct"], "openai", request)
    assert answer.status == 422
