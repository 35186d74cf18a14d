"""The simulated server: its queue, pictures, refusals and faults, and its stamps over a real loopback socket."""

import argparse
import asyncio
import base64
import contextlib
import heapq
import io
import itertools
import signal
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from loadgen.backends import backend_for
from loadgen.datasets.sample import Sample
from loadgen.errors import UsageError
from loadgen.options import IMAGE_INPUT_TASKS, TASKS, VIDEO_TASKS
from loadgen.simulator.dialects.chat import parse
from loadgen.simulator.engine.answer import media_urls
from loadgen.simulator.engine.faults import Fault, Faults
from loadgen.simulator.engine.generation import Generation, RefusalError
from loadgen.simulator.engine.mp4 import mp4
from loadgen.simulator.engine.options import SimulatorOptions, add_arguments, from_arguments
from loadgen.simulator.engine.png import png
from loadgen.simulator.engine.queue import ReplicaQueue, ServiceTimes
from loadgen.simulator.server import start

MS = 1_000_000
CHAT = "/v1/chat/completions"
JPEG_NAMED_PNG = "data:image/png;base64,/9j/4AAQSkZJRgABAQEASABIAAD/wAALCAABAAEBAREA"


@contextlib.asynccontextmanager
async def simulator(**options: Any) -> AsyncIterator[aiohttp.ClientSession]:
    """A server in this loop and a client without limits that talks to it."""
    runner, port = await start(SimulatorOptions(port=0, **options))
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", connector=connector) as client:
        yield client
    await runner.cleanup()


def ask(prompt: str = "a cat", **extra: object) -> dict[str, object]:
    return {"model": "default", "messages": [{"role": "user", "content": prompt}], "extra_body": extra}


async def post(client: aiohttp.ClientSession, body: object) -> tuple[int, Any, dict[str, int]]:
    """Status, parsed body and stamps of one answer."""
    async with client.post(CHAT, data=body if isinstance(body, bytes) else orjson.dumps(body)) as reply:
        stamps = {key: int(value) for key, value in reply.headers.items() if key.startswith("X-Sim-")}
        return reply.status, orjson.loads(await reply.read()), stamps


async def get(client: aiohttp.ClientSession, path: str) -> Any:
    async with client.get(path) as reply:
        assert reply.status == 200
        return orjson.loads(await reply.read())


async def eventually(holds: Callable[[], Awaitable[bool]]) -> bool:
    """Whether something comes true within ten seconds."""
    deadline = time.monotonic() + 60
    while not await holds() and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    return await holds()


# Queue and service times


@pytest.mark.parametrize(
    ("replicas", "expected"),
    [
        (1, [(100, 110), (110, 140), (140, 145), (200, 210)]),
        (2, [(100, 110), (101, 131), (110, 115), (200, 210)]),
        (9, [(100, 110), (101, 131), (102, 107), (200, 210)]),
    ],
)
def test_replicas_take_requests_first_come_first_served(replicas: int, expected: list[tuple[int, int]]) -> None:
    queue = ReplicaQueue(replicas)
    arrivals = [(100, 10), (101, 30), (102, 5), (200, 10)]
    assert [queue.admit(now, service) for now, service in arrivals] == expected


@pytest.mark.parametrize(
    ("asked", "units"),
    [
        (Generation("", 32, 32, 3, 2), 24.0),  # 32*32/256 = 4, * 3 frames * 2 steps
        (Generation("", 1024, 1024, 1, 50), 204_800.0),
        (Generation("", 8, 8, 1, 5), 5.0),  # less than 256 pixels count as one unit
    ],
)
def test_work_grows_with_pixels_frames_and_steps(asked: Generation, units: float) -> None:
    assert asked.units == units


def test_a_constant_service_time_is_base_plus_unit_times_work() -> None:
    times = ServiceTimes(SimulatorOptions(base_ms=20, unit_ms=0.5))
    assert times.draw_ns(24) == 32 * MS


@pytest.mark.parametrize(
    ("service", "sigma", "variation"), [("exponential", 0.5, 1.0), ("lognormal", 0.5, 0.533), ("lognormal", 0.2, 0.202)]
)
def test_drawn_service_times_have_the_asked_mean_and_spread(service: str, sigma: float, variation: float) -> None:
    times = ServiceTimes(SimulatorOptions(base_ms=20, unit_ms=0.5, service=service, service_sigma=sigma, seed=3))
    drawn = [times.draw_ns(24) / MS for _ in range(40_000)]
    mean = sum(drawn) / len(drawn)
    deviation = (sum((one - mean) ** 2 for one in drawn) / len(drawn)) ** 0.5
    assert mean == pytest.approx(32, rel=0.03)
    assert deviation / mean == pytest.approx(variation, rel=0.05)  # lognormal: sqrt(exp(sigma^2) - 1)


@pytest.mark.parametrize("service", ["exponential", "lognormal"])
def test_a_seed_fixes_the_series_of_service_times(service: str) -> None:
    def series(seed: int) -> list[int]:
        times = ServiceTimes(SimulatorOptions(service=service, seed=seed))
        return [times.draw_ns(1) for _ in range(5)]

    assert series(7) == series(7)
    assert series(7) != series(8)


def test_faults_come_at_the_asked_rates_and_by_seed() -> None:
    options = SimulatorOptions(fail_rate=0.2, stall=0.1, reset_rate=0.3, seed=5)
    drawn, again = ([faults.draw() for _ in range(20_000)] for faults in (Faults(options), Faults(options)))
    assert drawn == again
    for fault, share in ((Fault.FAIL, 0.2), (Fault.STALL, 0.1), (Fault.RESET, 0.3), (Fault.NONE, 0.4)):
        assert drawn.count(fault) / 20_000 == pytest.approx(share, abs=0.02)


# Media


@pytest.mark.parametrize(("width", "height"), [(1, 1), (7, 3), (128, 96), (1024, 1024), (1536, 64)])
def test_a_picture_of_any_size_decodes(width: int, height: int) -> None:
    data = png(width, height, 20_000)
    Image.open(io.BytesIO(data)).verify()  # checks every chunk's CRC, the filler's too
    image = Image.open(io.BytesIO(data))
    image.load()
    assert (image.format, image.size, len(data)) == ("PNG", (width, height), 20_000)


def test_a_picture_larger_than_asked_is_not_padded() -> None:
    assert png(1024, 1024, 10) == png(1024, 1024)


def boxes(data: bytes, path: str) -> bytes:
    """Contents of the first box at a path such as moov/trak, checking that boxes fill their parent exactly."""
    for name in path.split("/"):
        at, found = 0, None
        while at < len(data):
            size, kind = struct.unpack_from(">I4s", data, at)
            assert 8 <= size <= len(data) - at
            found = data[at + 8 : at + size] if kind == name.encode() and found is None else found
            at += size
        assert found is not None, name
        data = found
    return data


def test_a_video_holds_one_track_whose_every_sample_is_a_picture_of_that_size() -> None:
    data = mp4(640, 480, 5, 30_000)
    assert len(data) == 30_000
    assert data[4:12] == b"ftypisom"
    assert struct.unpack(">2I", boxes(data, "moov/trak/tkhd")[-8:]) == (640 << 16, 480 << 16)
    table = "moov/trak/mdia/minf/stbl/"
    length, count = struct.unpack_from(">2I", boxes(data, table + "stsz"), 4)
    offsets = struct.unpack_from(">6I", boxes(data, table + "stco"), 4)
    assert (count, offsets[0]) == (5, 5)
    for offset in offsets[1:]:
        image = Image.open(io.BytesIO(data[offset : offset + length]))
        image.load()
        assert image.size == (640, 480)


@pytest.mark.parametrize(
    ("media", "frames", "mimes"),
    [
        ("auto", 1, ["image/png", "video/mp4"]),
        ("auto", 2, ["video/mp4"]),
        ("image", 2, ["image/png"]),
        ("video", 1, ["video/mp4"]),
    ],
)
def test_media_says_what_an_answer_holds(media: str, frames: int, mimes: list[str]) -> None:
    urls = media_urls(Generation("", 8, 8, frames, 1), SimulatorOptions(media=media, media_bytes=500))
    assert [orjson.loads(orjson.dumps(url)).split(";")[0] for url in urls] == [f"data:{mime}" for mime in mimes]


def test_the_server_answers_by_the_media_it_was_told() -> None:
    async def scene() -> None:
        async with simulator(base_ms=0, media="video") as client:
            _, answer, _ = await post(client, ask(width=8, height=8))
        items = answer["choices"][0]["message"]["content"]
        assert [item["image_url"]["url"].split(";")[0] for item in items] == ["data:video/mp4"]

    asyncio.run(scene())


# Refusals


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "not JSON"),
        (b"[]", "JSON object"),
        ({}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [4]}, "messages[0] must be an object"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "system", "content": "x"}]}, "role user"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0]"),
        ({**ask(), "model": 3}, "model"),
        ({**ask(), "extra_body": [1]}, "extra_body"),
        (ask(width=0), "extra_body.width"),
        (ask(height=-5), "extra_body.height"),
        (ask(height="512"), "extra_body.height"),
        (ask(width=512.0), "extra_body.width"),
        (ask(width=1 << 20), "extra_body.width"),
        (ask(num_frames=True), "extra_body.num_frames"),
        (ask(num_inference_steps=0), "extra_body.num_inference_steps"),
        (ask(seed=1.5), "extra_body.seed"),
        (ask(fps=0), "extra_body.fps"),
        (ask(fps="16"), "extra_body.fps"),
        (ask(negative_prompt=7), "extra_body.negative_prompt"),
    ],
)
def test_a_wrong_body_is_refused_with_the_reason(body: object, reason: str) -> None:
    with pytest.raises(RefusalError) as refused:
        parse(body if isinstance(body, bytes) else orjson.dumps(body))
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://example.org/a.png", "must be data:image"),
        ("data:image/png;base64,@@@@", "not base64"),
        ("data:image/png;base64,aGVsbG8=", "not a PNG, JPEG or WebP image"),
        ("data:image/png;base64," + base64.b64encode(png(8, 8)[:20]).decode(), "not a PNG, JPEG or WebP image"),
        ("data:image/png;base64," + base64.b64encode(mp4(8, 8, 1)).decode(), "not a PNG, JPEG or WebP image"),
        (JPEG_NAMED_PNG, "is image/jpeg"),
    ],
)
def test_an_input_image_must_be_one(url: str, reason: str) -> None:
    content = [{"type": "image_url", "image_url": {"url": url}}]
    with pytest.raises(RefusalError, match=r"messages\[0\].content\[0\].image_url.url") as refused:
        parse(orjson.dumps({"messages": [{"role": "user", "content": content}]}))
    assert reason in str(refused.value)


def test_what_a_request_does_not_say_takes_the_server_defaults() -> None:
    assert parse(b'{"messages":[{"role":"user","content":""}]}') == Generation("", 1024, 1024, 1, 1)
    assert parse(orjson.dumps(ask("x", width=None, height=64, seed=-1, fps=7.5, odd={}))).height == 64


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4) | st.sampled_from(["user", "text"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["role", "content", "type", "text", "image_url", "url", "width"]), inner)
        ),
        max_leaves=12,
    )
)
def test_any_message_is_understood_or_refused(value: object) -> None:
    for body in (value, {"messages": value}, {"messages": [value]}, {**ask(), "extra_body": value}):
        with contextlib.suppress(RefusalError):
            assert parse(orjson.dumps(body)).units >= 1


# Options


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("port", 65_536),
        ("replicas", 0),
        ("base_ms", -1.0),
        ("unit_ms", float("nan")),
        ("service", "uniform"),
        ("service_sigma", -0.1),
        ("media_bytes", -1),
        ("fail_rate", 1.1),
        ("stall", float("nan")),
        ("reset_rate", -0.1),
        ("model", ""),
        ("media", "audio"),
        ("bytes_per_pixel", -1.0),
        ("framing", "gzip"),
        ("http_errors", "503"),
        ("http_errors", "503:2"),
        ("http_errors", "200:0.1"),
        ("http_errors", "busy:0.1"),
        ("http_errors", "503:0.1,,"),
        ("tls_key", "key.pem"),
    ],
)
def test_an_impossible_option_is_named_by_its_flag(flag: str, value: Any) -> None:
    with pytest.raises(UsageError, match="--" + flag.replace("_", "-")):
        SimulatorOptions(**{flag: value})


def test_fault_rates_cannot_sum_to_more_than_one() -> None:
    with pytest.raises(UsageError, match="--fail-rate"):
        SimulatorOptions(fail_rate=0.5, stall=0.3, reset_rate=0.3)
    with pytest.raises(UsageError, match="--http-errors"):
        SimulatorOptions(fail_rate=0.5, http_errors="503:0.3,429:0.3")


def test_flags_default_to_the_options_and_set_them() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert from_arguments(parser.parse_args([])) == SimulatorOptions()
    line = "--port 0 --replicas 3 --base-ms 5 --service lognormal --service-sigma 1 --stall 0.5 --model sd3 --tls"
    assert from_arguments(parser.parse_args(line.split())) == SimulatorOptions(
        port=0, replicas=3, base_ms=5.0, service="lognormal", service_sigma=1.0, stall=0.5, model="sd3", tls=True
    )


# The server


def test_health_and_models_answer_like_a_real_server() -> None:
    async def scene() -> None:
        async with simulator(model="sd3") as client:
            await get(client, "/health")
            assert [model["id"] for model in (await get(client, "/v1/models"))["data"]] == ["sd3"]

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("task", "frames"), [*itertools.product(TASKS, (None, 1)), *((task, 4) for task in sorted(VIDEO_TASKS))]
)
def test_what_our_endpoint_sends_is_understood_and_what_comes_back_is_a_success(task: str, frames: int | None) -> None:
    async def scene() -> None:
        ours = backend_for("vllm-omni", task)
        images = (png(8, 8),) if task in IMAGE_INPUT_TASKS else ()
        sample = Sample("a cat", width=640, height=480, num_frames=frames, images=images)
        async with simulator(base_ms=1, unit_ms=0, model="sd3") as client:
            async with client.post(ours.path, data=ours.encode(sample, "sd3", task).body) as answer:
                reply = ours.read(await answer.read(), task)
            assert (answer.status, reply.detail) == (200, "")
            assert list(reply.stage_durations) == ["queue", "denoise", "decode"]
            assert reply.peak_memory_mb > 0

    asyncio.run(scene())


def test_an_answer_holds_a_picture_of_the_asked_size_and_weight() -> None:
    async def scene() -> None:
        async with simulator(base_ms=0, media_bytes=5000) as client:
            _, answer, _ = await post(client, ask(width=320, height=200))
        url = answer["choices"][0]["message"]["content"][0]["image_url"]["url"]
        head, text = url.split(",")
        data = base64.b64decode(text)
        assert (head, len(data)) == ("data:image/png;base64", 5000)
        assert Image.open(io.BytesIO(data)).size == (320, 200)

    asyncio.run(scene())


def test_a_refusal_over_http_is_a_400_that_says_why() -> None:
    async def scene() -> None:
        async with simulator() as client:
            status, body, _ = await post(client, ask(width=-1))
            assert (status, body["error"]["code"], body["error"]["type"]) == (400, 400, "invalid_request_error")
            assert "extra_body.width" in body["error"]["message"]
            assert [row["status"] for row in await get(client, "/sim/log")] == [400]

    asyncio.run(scene())


def test_stamps_lie_in_order_inside_the_exchange_and_agree_with_log_and_stages() -> None:
    async def scene() -> None:
        async with simulator(base_ms=30, unit_ms=0) as client:
            before_ns = time.monotonic_ns()
            _, answer, stamps = await post(client, ask("a dog", width=64, height=32, num_inference_steps=9))
            after_ns = time.monotonic_ns()
            row = (await get(client, "/sim/log"))[0]
        names = ("Received", "Started", "Finished", "Replied")
        received, started, finished, replied = (stamps[f"X-Sim-{name}-Ns"] for name in names)
        assert before_ns <= received <= started == finished - 30 * MS <= replied - 30 * MS <= after_ns - 30 * MS
        stages = answer["choices"][0]["message"]["content"][0]["stage_durations"]
        assert sum(stages.values()) == pytest.approx((replied - received) / 1e9)
        assert min(stages.values()) >= 0
        shape = {"width": 64, "height": 32, "steps": 9, "frames": 1, "prompt": "a dog", "status": 200, "in_flight": 1}
        instants = {"received_ns": received, "started_ns": started, "finished_ns": finished, "replied_ns": replied}
        assert row == instants | shape | {"polls": 0}

    asyncio.run(scene())


@pytest.mark.parametrize("replicas", [1, 2])
def test_requests_at_once_are_served_in_order_of_arrival_by_as_many_as_there_are_replicas(replicas: int) -> None:
    service_ns = 40 * MS

    async def scene() -> list[dict[str, Any]]:
        async with simulator(base_ms=40, unit_ms=0, replicas=replicas) as client:
            answers = await asyncio.gather(*(post(client, ask(str(i))) for i in range(8)))
            assert [status for status, _, _ in answers] == [200] * 8
            rows: list[dict[str, Any]] = await get(client, "/sim/log")
            return rows

    rows = asyncio.run(scene())
    assert sorted(row["prompt"] for row in rows) == sorted(map(str, range(8)))
    assert all(earlier["received_ns"] <= later["received_ns"] for earlier, later in itertools.pairwise(rows))
    free = [0] * replicas
    for row in rows:  # none starts before it came, nor before the replica that is free first is free
        free_ns = heapq.heapreplace(free, row["started_ns"] + service_ns)
        assert row["started_ns"] >= max(free_ns, row["received_ns"])
        assert row["replied_ns"] >= row["started_ns"] + service_ns


def test_a_seed_gives_the_same_service_times_over_http() -> None:
    async def series() -> list[float]:
        async with simulator(base_ms=2, unit_ms=0, service="exponential", seed=11) as client:
            answers = [await post(client, ask()) for _ in range(4)]
        return [body["choices"][0]["message"]["content"][0]["stage_durations"]["denoise"] for _, body, _ in answers]

    first = asyncio.run(series())
    assert first == asyncio.run(series())
    assert len(set(first)) == 4


def test_a_failure_is_a_500_with_an_error_body() -> None:
    async def scene() -> None:
        async with simulator(fail_rate=1) as client:
            status, body, _ = await post(client, ask())
            assert (status, body["error"]["code"]) == (500, 500)

    asyncio.run(scene())


def test_a_reset_is_a_tcp_reset_and_leaves_nobody_inside() -> None:
    async def scene() -> None:
        async with simulator(reset_rate=1) as client:
            port = (await client.get("/health")).url.port
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            body = orjson.dumps(ask())
            writer.write(
                b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (CHAT.encode(), len(body)) + body
            )
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()
            assert await get(client, "/sim/stats") == {"requests": 1, "in_flight": 0, "max_in_flight": 1}

    asyncio.run(scene())


def test_stalled_requests_are_counted_until_their_clients_leave() -> None:
    async def scene() -> None:
        async with simulator(stall=1) as client:
            waiting = [asyncio.create_task(post(client, ask())) for _ in range(7)]

            async def inside(count: int) -> bool:
                return bool((await get(client, "/sim/stats"))["in_flight"] == count)

            assert await eventually(lambda: inside(7))
            assert not any(task.done() for task in waiting)
            for task in waiting:
                task.cancel()
            assert await eventually(lambda: inside(0))
            assert await get(client, "/sim/stats") == {"requests": 7, "in_flight": 0, "max_in_flight": 7}
            assert {row["status"] for row in await get(client, "/sim/log")} == {499}

    asyncio.run(scene())


def test_a_client_that_waits_for_each_answer_is_never_counted_twice() -> None:
    async def scene() -> None:
        async with simulator(base_ms=0, unit_ms=0) as client:
            for _ in range(200):
                await post(client, ask(width=8, height=8))
            assert await get(client, "/sim/stats") == {"requests": 200, "in_flight": 0, "max_in_flight": 1}

    asyncio.run(scene())


def test_a_taken_port_is_named_with_the_fix() -> None:
    async def scene() -> None:
        runner, port = await start(SimulatorOptions(port=0))
        with pytest.raises(UsageError, match=rf"--port {port}.*--port 0"):
            await start(SimulatorOptions(port=port))
        await runner.cleanup()

    asyncio.run(scene())


SERVE = """
from loadgen.simulator.engine.options import SimulatorOptions
from loadgen.simulator.server import serve
serve(SimulatorOptions(port=0, stall=1), lambda port: print(port, flush=True), until_eof_fd=0)
"""


@pytest.mark.parametrize("ending", ["end of file", signal.SIGTERM, signal.SIGINT])
def test_a_server_process_ends_by_itself_at_end_of_file_and_on_signals(ending: str | signal.Signals) -> None:
    command = [sys.executable, "-c", SERVE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        assert int(process.stdout.readline()) > 0
        if isinstance(ending, signal.Signals):
            process.send_signal(ending)
        else:
            process.stdin.close()
        assert process.wait(timeout=30) == 0
        assert process.stdout.read() == process.stderr.read() == b""
