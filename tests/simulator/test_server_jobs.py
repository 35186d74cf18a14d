"""The video jobs of the simulated server's profiles, against what the real servers answered (2026-11-25)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from loadgen.media import headers
from tests.simulator.test_servers import FAST, VIDEOS, Answer, S, V, call, form
from tests.simulator.test_simulator import eventually, simulator


def during_a_job(
    server: str, work: Callable[[aiohttp.ClientSession, str], Awaitable[None]], fields: Any = None, **options: Any
) -> None:
    """Create a job on a video server, and do `work` with its path."""

    async def scene() -> None:
        async with simulator(server=server, kind="video", **{**FAST, **options}) as client:
            status, body = await call(client, "POST", VIDEOS, data=fields or form(prompt="a", size="64x64"))
            assert (status, body["status"]) == (200, "queued")
            await work(client, f"{VIDEOS}/{body['id']}")

    asyncio.run(scene())


async def ended(client: aiohttp.ClientSession, path: str) -> Answer:
    """The first poll that says that the job has ended."""
    answers: list[Answer] = []

    async def done() -> bool:
        answers.append(await call(client, "GET", path))
        return answers[-1][1]["status"] in ("completed", "failed")

    assert await eventually(done)
    return answers[-1]


def test_a_job_of_vllm_omni_keeps_the_size_asked_for_and_tells_the_frames_made() -> None:
    async def work(client: aiohttp.ClientSession, path: str) -> None:
        _, before = await call(client, "GET", path)
        assert (before["peak_memory_mb"], before["stage_durations"], before["inference_time_s"]) == (0.0, {}, None)
        assert (before["fps"], before["num_frames"]) == (24.0, 18)
        status, after = await ended(client, path)
        assert (status, after["status"], after["size"], after["progress"]) == (200, "completed", "854x480", 100)
        assert (after["fps"], after["num_frames"], after["duration_s"]) == (16.0, 17, 17 / 16)
        assert (after["metrics"], after["stage_durations"], after["inference_time_s"]) == (None, {}, 0.6)
        _, video = await call(client, "GET", path + "/content")
        found = headers.describe(video)
        assert found is not None
        assert (found.mime, found.width, found.height) == ("video/mp4", 848, 480)
        assert await call(client, "DELETE", path) == (
            200,
            {"id": after["id"], "object": "video.deleted", "deleted": True},
        )

    during_a_job(V, work, form(prompt="a", size="854x480", num_frames="18"), base_ms=600)


def test_a_job_of_sglang_is_queued_until_it_is_completed_and_shows_its_body_when_deleted() -> None:
    async def work(client: aiohttp.ClientSession, path: str) -> None:
        _, before = await call(client, "GET", path)
        assert (before["status"], before["peak_memory_mb"], before["inference_time_s"]) == ("queued", None, None)
        assert await call(client, "GET", path + "/content") == (404, {"detail": "Generation is still in-progress"})
        status, after = await ended(client, path)
        assert (status, after["size"], after["seconds"], after["num_outputs"]) == (200, "854x480", "1", 2)
        assert after["inference_time_s"] == 0.6
        assert (await call(client, "DELETE", path))[1] == {**after, "status": "deleted"}
        assert await call(client, "GET", path) == (404, {"detail": "Video not found"})

    during_a_job(S, work, form(prompt="a", size="854x480", num_frames="18", n="2"), base_ms=600)


def test_a_running_job_is_in_progress_on_vllm_omni_only() -> None:
    for server, state in ((V, "in_progress"), (S, "queued")):

        async def work(client: aiohttp.ClientSession, path: str, state: str = state) -> None:
            assert (await call(client, "GET", path))[1]["status"] == state

        during_a_job(server, work, base_ms=60_000)


@pytest.mark.parametrize(("server", "status", "content"), [(V, 500, 422), (S, 200, 404)])
def test_the_poll_of_a_failed_job_has_the_status_of_the_server_and_the_message(
    server: str, status: int, content: int
) -> None:
    async def work(client: aiohttp.ClientSession, path: str) -> None:
        found, body = await ended(client, path)
        assert (found, body["status"], body["error"]["message"]) == (status, "failed", "injected by --fail-rate")
        assert body["error"].get("code") == (500 if server == V else None)
        assert body["peak_memory_mb"] == (0.0 if server == V else None)
        assert (await call(client, "GET", path + "/content"))[0] == content

    during_a_job(server, work, fail_rate=1)


def test_an_image_server_of_vllm_omni_takes_a_job_and_fails_it() -> None:
    async def scene() -> None:
        async with simulator(server=V, kind="image", **FAST) as client:
            _, body = await call(client, "POST", VIDEOS, data=form(prompt="a"))
            status, body = await ended(client, f"{VIDEOS}/{body['id']}")
            assert (status, body["status"], body["error"]["code"]) == (503, "failed", 503)
            assert "No final video output stage" in body["error"]["message"]

    asyncio.run(scene())


@pytest.mark.parametrize(("server", "freed"), [(V, True), (S, False)])
def test_a_delete_frees_the_queue_on_vllm_omni_and_not_on_sglang(server: str, freed: bool) -> None:
    async def work(client: aiohttp.ClientSession, path: str) -> None:
        _, second = await call(client, "POST", VIDEOS, data=form(prompt="b", size="64x64"))
        assert (await call(client, "DELETE", path))[0] == 200
        _, (_, behind) = await call(client, "GET", "/sim/log")
        starts_in_s = (behind["started_ns"] - behind["received_ns"]) / 1e9
        assert starts_in_s < 30 if freed else starts_in_s > 30
        assert (await call(client, "GET", f"{VIDEOS}/{second['id']}"))[0] == 200

    during_a_job(server, work, base_ms=60_000)


def test_the_delete_of_a_running_job_takes_as_long_as_told_and_of_an_ended_one_no_time() -> None:
    async def work(client: aiohttp.ClientSession, path: str) -> None:
        started = asyncio.get_running_loop().time()
        assert (await call(client, "DELETE", path))[0] == 200
        assert asyncio.get_running_loop().time() - started >= 0.3

    during_a_job(V, work, base_ms=60_000, abort_ms=300)
