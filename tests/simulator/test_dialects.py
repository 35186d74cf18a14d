"""The dialects of the simulated server: what they refuse, and what our endpoints make of their answers."""

import asyncio
import io
from typing import Any

import aiohttp
import orjson
import pytest
from PIL import Image

from loadgen.backends import BACKENDS, Backend, JobBackend, State, videos
from loadgen.bodies import multipart
from loadgen.bodies.extra_fields import with_extra_fields
from loadgen.bodies.request import Request
from loadgen.datasets.input_images import InputImage
from loadgen.datasets.sample import Sample
from loadgen.options import IMAGE_INPUT_TASKS, TargetOptions
from loadgen.simulator.dialects.images import parse
from loadgen.simulator.engine.generation import Generation, RefusalError
from loadgen.simulator.engine.options import FRAMINGS
from loadgen.simulator.engine.png import png
from tests.simulator.test_simulator import eventually, get, simulator

PICTURE = png(8, 4)
PAIRS = [(one, task) for one in BACKENDS.values() if not isinstance(one, JobBackend) for task in one.tasks]


async def send(client: aiohttp.ClientSession, request: Request) -> tuple[int, bytes, Any]:
    """Status, body and headers of the answer to a request as the senders write it."""
    headers = {"Content-Type": request.content_type} if request.content_type else {}
    async with client.request(request.method, request.path, data=bytes(request.body), headers=headers) as answer:
        return answer.status, await answer.read(), answer.headers


def form(fields: dict[str, object], *files: tuple[str, bytes, str]) -> Request:
    images = [(name, InputImage("x.png", data, mime, 1, 1)) for name, data, mime in files]
    body = multipart.form(fields, images, Sample(""))
    return Request("POST", "", multipart.CONTENT_TYPE, body)


# Requests that are understood


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize(("one", "task"), PAIRS, ids=[f"{one.name}-{task}" for one, task in PAIRS])
def test_what_an_endpoint_sends_is_understood_and_what_comes_back_is_a_success(
    one: Backend, task: str, framing: str
) -> None:
    images = (PICTURE,) if task in IMAGE_INPUT_TASKS else ()
    videos = ("http://127.0.0.1/a.mp4",) if task == "v2v" else ()
    frames = 3 if task.endswith("v") else None
    sample = Sample("a cat", "r1", 64, 32, frames, 4, 5, 6, images=images, videos=videos)

    async def scene() -> None:
        async with simulator(base_ms=1, unit_ms=0, framing=framing) as client:
            status, body, _ = await send(client, one.encode(sample, "sd3", task))
            reply = one.read(body, task)
            (row,) = await get(client, "/sim/log")
        assert (status, reply.detail) == (200, "")
        assert [row[key] for key in ("prompt", "width", "height", "steps", "status")] == ["a cat", 64, 32, 4, 200]
        assert list(one.media(body))

    asyncio.run(scene())


@pytest.mark.parametrize("name", ["openai", "v1/images/edits"])
def test_n_pictures_come_in_the_asked_size_at_their_realistic_weight_with_figures(name: str) -> None:
    one = BACKENDS[name]

    async def scene() -> bytes:
        async with simulator(base_ms=0, unit_ms=0, media_bytes=0, bytes_per_pixel=1.5) as client:
            (sample,) = with_extra_fields([Sample("a", width=320, height=200, images=(PICTURE,))], TargetOptions(n=3))
            return (await send(client, one.encode(sample, "sd3", one.tasks[0])))[1]

    body = asyncio.run(scene())
    pictures = list(one.media(body))
    assert [len(data) for data in pictures] == [96_000] * 3  # 320 * 200 * 1.5
    assert {Image.open(io.BytesIO(data)).size for data in pictures} == {(320, 200)}
    reply = one.read(body, one.tasks[0], 3)
    assert list(reply.stage_durations) == ["queue", "denoise", "decode"]
    assert reply.peak_memory_mb > 6000


def test_n_pictures_are_n_times_the_work() -> None:
    assert parse(b'{"prompt":"a","size":"32x16","n":4,"num_inference_steps":3}') == Generation("a", 32, 16, 1, 3, 4)
    assert Generation("a", 32, 16, 1, 3, 4).units == 24  # 32 * 16 / 256 * 3 * 4


def test_a_synchronous_video_tells_its_inference_time_in_a_header() -> None:
    async def scene() -> None:
        async with simulator(base_ms=30, unit_ms=0) as client:
            request = BACKENDS["v1/videos/sync"].encode(Sample("a", width=64, height=32), "wan", "t2v")
            _, body, headers = await send(client, request)
        assert (headers["Content-Type"], headers["X-Inference-Time-S"]) == ("video/mp4", "0.030000")
        assert body[4:8] == b"ftyp"

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("framing", "expected"),
    [("length", ("5000", None, None)), ("chunked", (None, "chunked", None)), ("close", (None, None, "close"))],
)
def test_an_answer_ends_as_framing_says(framing: str, expected: tuple[str | None, ...]) -> None:
    async def scene() -> None:
        async with simulator(base_ms=0, unit_ms=0, framing=framing, media_bytes=5000) as client:
            request = BACKENDS["v1/videos/sync"].encode(Sample("a", width=64, height=32), "wan", "t2v")
            _, body, headers = await send(client, request)
        names = ("Content-Length", "Transfer-Encoding", "Connection")
        assert tuple(headers.get(name) for name in names) == expected
        assert len(body) == 5000

    asyncio.run(scene())


# Requests that are refused


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "prompt"),
        ({"prompt": 7}, "prompt"),
        ({"prompt": "a", "model": 3}, "model"),
        ({"prompt": "a", "size": "big"}, "size"),
        ({"prompt": "a", "size": "0x5"}, "width"),
        ({"prompt": "a", "size": 7}, "size"),
        ({"prompt": "a", "n": 0}, "n must be"),
        ({"prompt": "a", "n": 99}, "n must be"),
        ({"prompt": "a", "response_format": "url"}, "response_format"),
        ({"prompt": "a", "seed": "x"}, "seed"),
    ],
)
def test_wrong_fields_of_a_generation_are_refused_with_the_reason(fields: dict[str, object], reason: str) -> None:
    with pytest.raises(RefusalError, match=reason):
        parse(orjson.dumps(fields))


IMAGE = ("image", PICTURE, "image/png")
EDITS, JOBS = "/v1/images/edits", "/v1/videos"


@pytest.mark.parametrize(
    ("path", "request_", "reason"),
    [
        (EDITS, form({"prompt": "a"}), "image must be given 1 to 16 times, not 0"),
        (EDITS, form({"prompt": "a"}, *[IMAGE] * 17), "not 17"),
        (EDITS, form({}, IMAGE), "prompt"),
        (EDITS, form({"prompt": "a"}, IMAGE, ("mask", PICTURE, "image/png")), "mask"),
        (EDITS, form({"prompt": "a"}, ("image", b"hello", "image/png")), "not a PNG, JPEG or WebP"),
        (EDITS, form({"prompt": "a"}, ("image", PICTURE, "image/jpeg")), "is declared as image/jpeg but is image/png"),
        (EDITS, form({"prompt": "a", "seed": "x"}, IMAGE), "seed must be an integer"),
        (EDITS, form({"prompt": "a", "true_cfg_scale": "nan"}, IMAGE), "true_cfg_scale must be a number"),
        (EDITS, form({"prompt": "a", "size": "x"}, IMAGE), "size"),
        (EDITS, Request("POST", "", "application/json", b"{}"), "not a multipart form"),
        (EDITS, Request("POST", "", multipart.CONTENT_TYPE, b"hello"), "not a multipart form"),
        (EDITS, Request("POST", "", multipart.CONTENT_TYPE, form({}, IMAGE).body[:-30]), "not a multipart form"),
        (EDITS, Request("POST", "", "multipart/form-data", b""), "not a multipart form"),
        (JOBS, form({"width": "64"}), "prompt"),
        (JOBS, form({"prompt": "a", "num_frames": "0"}), "num_frames"),
        (JOBS, form({"prompt": "a"}, IMAGE), "input_reference|image is not a file field"),
        (JOBS, form({"prompt": "a"}, *[("input_reference", PICTURE, "image/png")] * 2), "not 2"),
        (JOBS + "/sync", form({"prompt": "a", "fps": "fast"}), "fps must be a number"),
    ],
)
def test_a_form_that_is_not_as_it_should_be_is_a_400_that_says_why(path: str, request_: Request, reason: str) -> None:
    async def scene() -> None:
        async with simulator() as client:
            status, body, _ = await send(client, request_._replace(path=path))
            message = orjson.loads(body)["error"]["message"]
            assert status == 400, message
            assert any(one in message for one in reason.split("|")), message
            assert (await get(client, "/sim/stats"))["in_flight"] == 0

    asyncio.run(scene())


# Injected errors


def test_http_errors_come_as_asked_and_busy_ones_say_when_to_come_again() -> None:
    async def scene() -> list[tuple[int, str | None]]:
        async with simulator(base_ms=0, unit_ms=0, http_errors="503:0.3,429:0.3,404:0.2", seed=1) as client:
            request = BACKENDS["openai"].encode(Sample("a", width=8, height=8), "sd3", "t2i")
            answers = [await send(client, request) for _ in range(60)]
        return [(status, headers.get("Retry-After")) for status, _, headers in answers]

    seen = asyncio.run(scene())
    assert set(seen) == {(503, "1"), (429, "1"), (404, None), (200, None)}


# Jobs


def create(**fields: Any) -> Request:
    return videos.encode(Sample("a", width=64, height=32, num_frames=2, **fields), "wan", "t2v")


def test_a_job_is_queued_then_in_progress_then_completed_and_fetched_and_gone() -> None:
    async def scene() -> None:
        async with simulator(base_ms=300, unit_ms=0) as client:
            (_, first, _), (_, second, _) = await send(client, create()), await send(client, create())
            ids = [videos.read_job(body).id for body in (first, second)]
            assert len(set(ids)) == 2
            seen: list[list[str]] = [[], []]

            async def both_completed() -> bool:
                for place, job in enumerate(ids):
                    status = orjson.loads((await send(client, videos.poll(job)))[1])["status"]
                    seen[place] += [status] if status not in seen[place] else []
                return all(states[-1] == "completed" for states in seen)

            assert await eventually(both_completed)
            assert seen[0] in (["in_progress", "completed"], ["completed"])  # the latter where the machine stalled
            assert seen[1] in (["queued", "in_progress", "completed"], ["in_progress", "completed"], ["completed"])
            status, body, headers = await send(client, videos.content(ids[0]))
            assert (status, headers["Content-Type"], videos.read_content(body).detail) == (200, "video/mp4", "")
            assert (await send(client, videos.delete(ids[0])))[0] == 200
            assert {(await send(client, ask(ids[0])))[0] for ask in (videos.poll, videos.content, videos.delete)} == {
                404
            }
            job = videos.read_job((await send(client, videos.poll(ids[1])))[1], ids[1])
            assert list(job.parsed.stage_durations) == ["queue", "denoise", "decode"]
            assert job.parsed.peak_memory_mb > 6000

    asyncio.run(scene())


def test_a_job_is_inside_until_its_client_learns_of_its_end_or_deletes_it() -> None:
    async def scene() -> None:
        async with simulator(base_ms=1, unit_ms=0, replicas=9) as client:
            ids = [videos.read_job((await send(client, create()))[1]).id for _ in range(3)]
            assert (await get(client, "/sim/stats"))["in_flight"] == 3

            async def completed() -> bool:
                return videos.read_job((await send(client, videos.poll(ids[0])))[1]).state is State.COMPLETED

            assert await eventually(completed)
            await send(client, videos.delete(ids[0]))
            await send(client, videos.delete(ids[1]))
            assert await get(client, "/sim/stats") == {"requests": 3, "in_flight": 1, "max_in_flight": 3}
            rows = await get(client, "/sim/log")
            assert [row["status"] for row in rows] == [200, 499, 0]
            assert rows[0]["polls"] >= 1
            assert rows[0]["started_ns"] + 1_000_000 == rows[0]["finished_ns"] <= rows[0]["replied_ns"]

    asyncio.run(scene())


def test_a_job_that_fails_says_so_at_its_end_and_has_no_content() -> None:
    async def scene() -> None:
        async with simulator(base_ms=0, unit_ms=0, fail_rate=1) as client:
            status, body, _ = await send(client, create())
            job = videos.read_job(body)
            assert (status, job.state) == (200, State.PENDING)
            found = videos.read_job((await send(client, videos.poll(job.id)))[1], job.id)
            assert (found.state, found.parsed.detail) == (State.FAILED, "injected by --fail-rate")
            assert (await send(client, videos.content(job.id)))[0] == 409
            assert [row["status"] for row in await get(client, "/sim/log")] == [500]

    asyncio.run(scene())


def test_a_job_that_stalls_never_ends() -> None:
    async def scene() -> None:
        async with simulator(base_ms=0, unit_ms=0, stall=1) as client:
            job = videos.read_job((await send(client, create()))[1])
            await asyncio.sleep(0.05)
            assert orjson.loads((await send(client, videos.poll(job.id)))[1])["status"] == "in_progress"

    asyncio.run(scene())


def test_a_job_is_refused_by_an_http_error_when_it_is_created() -> None:
    async def scene() -> None:
        async with simulator(http_errors="429:1") as client:
            status, _, headers = await send(client, create())
            assert (status, headers["Retry-After"]) == (429, "1")
            assert (await get(client, "/sim/stats"))["in_flight"] == 0

    asyncio.run(scene())
