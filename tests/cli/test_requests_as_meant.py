"""What a row or a flag says is what the server receives, by either transport: seeds, frame rates, characters."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest
from PIL import Image

from loadgen.transport import NAMES
from tests.support.commands import run

CONTENT = [{"image_url": {"url": "data:image/png;base64,AAAA"}}]
ANSWER = orjson.dumps({"choices": [{"message": {"content": CONTENT}}], "data": [{"b64_json": "AAAA"}]})
BIG = 2**64 - 1


@contextmanager
def recorder() -> Iterator[tuple[str, list[bytes], list[int]]]:
    """A server that keeps the bodies, and how many requests it had in flight at each arrival."""
    bodies: list[bytes] = []
    in_flight: list[int] = []
    now, lock, slow = [0], threading.Lock(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(b"{}")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                bodies.append(body)
                now[0] += 1
                in_flight.append(now[0])
            slow.wait(0.2)
            with lock:
                now[0] -= 1
            self._answer(ANSWER)

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", bodies, in_flight
    server.shutdown()
    server.server_close()


def sent(*words: str, transport: str = "native", warmups: int = 0) -> list[Any]:
    """The JSON bodies that `loadgen bench` sends with these arguments."""
    with recorder() as (url, bodies, _):
        common = ("--warmup-requests", str(warmups), "--disable-tqdm", "--senders", "1", "--verify", "none")
        code, _, err = run("bench", "--base-url", url, "--transport", transport, *common, *words)
        assert code == 0, err
        return [orjson.loads(body) for body in bodies]


@pytest.mark.parametrize("transport", NAMES)
def test_a_row_of_a_trace_is_sent_as_meant(tmp_path: Path, transport: str) -> None:
    path = tmp_path / "trace.txt"
    path.write_text(rf"Request(prompt='\ud83d\ude00', seed={BIG}, fps=23.976, negative_prompt='\ud83d\ude01')")
    words = ("--task", "t2i", "--backend", "vllm-omni", "--dataset", "trace", "--dataset-path", str(path))
    (body,) = sent(*words, "--num-prompts", "1", transport=transport)
    extra = body["extra_body"]
    assert body["messages"][0]["content"] == "\U0001f600"
    assert (extra["seed"], extra["fps"], extra["negative_prompt"]) == (BIG, 23.976, "\U0001f601")


@pytest.mark.parametrize("transport", NAMES)
def test_a_row_of_the_custom_data_set_is_sent_as_meant(tmp_path: Path, transport: str) -> None:
    path = tmp_path / "r.jsonl"
    row = {"prompt": "\U0001f600", "seed": BIG, "guidance_scale": 4.5, "lora": {"name": "x"}, "bot_task": "own"}
    path.write_text(json.dumps(row) + "\n" + '{"prompt": "plain"}')  # the first with escaped surrogate pairs
    words = ("--task", "t2i", "--backend", "openai", "--dataset", "custom", "--dataset-path", str(path))
    first, second, third = sent(
        *words, "--num-prompts", "3", "--bot-task", "think", "--return-stage-metrics", transport=transport
    )
    assert first == third  # repeated
    assert (first["prompt"], first["seed"], first["guidance_scale"]) == ("\U0001f600", BIG, 4.5)
    assert (first["lora"], first["bot_task"], first["return_stage_metrics"]) == ({"name": "x"}, "own", True)
    assert (second["prompt"], second["bot_task"]) == ("plain", "think")


@pytest.mark.parametrize("transport", NAMES)
def test_flags_are_sent_as_meant(transport: str) -> None:
    words = ("--task", "t2i", "--backend", "vllm-omni", "--dataset", "random", "--num-prompts", "1")
    (body,) = sent(*words, "--seed", str(BIG), "--fps", "23.976", transport=transport)
    assert (body["extra_body"]["seed"], body["extra_body"]["fps"]) == (BIG, 23.976)
    (body,) = sent(*words, "--fps", "24", "--random-request-config", '[{"fps": 12.5}]', transport=transport)
    assert body["extra_body"]["fps"] == 12.5


@pytest.mark.parametrize("transport", NAMES)
@pytest.mark.parametrize(("concurrency", "most"), [(1, 1), (3, 3)])
def test_so_many_warm_ups_are_in_flight_at_a_time(transport: str, concurrency: int, most: int) -> None:
    with recorder() as (url, bodies, in_flight):
        words = (
            "--task",
            "t2i",
            "--backend",
            "openai",
            "--dataset",
            "random",
            "--num-prompts",
            "1",
            "--verify",
            "none",
        )
        more = ("--warmup-requests", "6", "--warmup-concurrency", str(concurrency), "--senders", "2", "--disable-tqdm")
        code, _, err = run("bench", "--base-url", url, "--transport", transport, *words, *more)
        assert code == 0, err
    assert len(bodies) == 7
    assert max(in_flight) == most


@pytest.mark.parametrize("transport", NAMES)
def test_hidden_files_of_a_folder_of_images_are_not_sent(tmp_path: Path, transport: str) -> None:
    Image.new("RGB", (8, 6)).save(tmp_path / "cat.png")
    for name in ("._cat.png", ".DS_Store", "Thumbs.db"):
        (tmp_path / name).write_bytes(b"\0\5\x16\7 of macOS")
    words = ("--task", "i2i", "--backend", "vllm-omni", "--dataset", "vbench", "--dataset-path", str(tmp_path))
    bodies = sent(*words, "--num-prompts", "2", transport=transport)
    assert [body["messages"][0]["content"][0]["text"] for body in bodies] == ["cat", "cat"]


@pytest.mark.parametrize("content", [b"", b"<html>", b"half"])
def test_a_broken_image_in_a_folder_is_named(tmp_path: Path, content: bytes) -> None:
    Image.new("RGB", (80, 60)).save(tmp_path / "cat.png")
    whole = (tmp_path / "cat.png").read_bytes()
    (tmp_path / "dog.png").write_bytes(whole[: len(whole) - 20] if content == b"half" else content)
    words = ("--task", "i2i", "--backend", "vllm-omni", "--dataset", "vbench", "--dataset-path", str(tmp_path))
    code, _, err = run("bench", "--simulate", *words, "--num-prompts", "2", "--disable-tqdm")
    assert code == 2
    assert f"loadgen: {tmp_path / 'dog.png'}: " in err
    assert len(err.splitlines()) == 1
