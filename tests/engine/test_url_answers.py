"""`--response-format url`: images that an answer points to are fetched, over both transports."""

import asyncio
import base64
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import orjson
import pytest
import uvloop

from collector.records.record import ErrorKind, error_name, job_step
from loadgen.backends import backend_for
from loadgen.bodies import media_urls
from loadgen.bodies.request import Request
from loadgen.engine.url_answers import UrlAnswers
from loadgen.options import TargetOptions
from loadgen.server.target import resolve
from loadgen.simulator.engine.png import png
from loadgen.transport import NAMES, make_transport
from loadgen.transport.interface import Answer
from tests.support.commands import T2I, bench, run

PICTURE = png(256, 256, 30_000)
REQUEST = Request("POST", "/v1/images/generations", "application/json", b"{}")
PATH = "/v1/images/7/content"


class Images(BaseHTTPRequestHandler):
    """Answers each generation with `urls`, and each GET with a picture or `status`."""

    protocol_version = "HTTP/1.1"
    urls: ClassVar[list[str]] = [PATH]
    status: ClassVar[int] = 200
    seen: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        items = [{"url": url.replace("@", f"http://{self.headers['Host']}"), "b64_json": None} for url in self.urls]
        self._answer(200, orjson.dumps({"id": "7", "data": items, "inference_time_s": 0.25}))

    def do_GET(self) -> None:
        if self.path != "/health":
            self.seen.append(self.path)
        self._answer(self.status, PICTURE)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def images(*urls: str, status: int = 200) -> Iterator[tuple[str, list[str]]]:
    """A server whose answers hold these URLs, `@` being its own origin; its URL, and the paths that were fetched."""
    handler = type("Handler", (Images,), {"urls": list(urls), "status": status, "seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler.seen  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()


def fetched(name: str, url: str) -> Answer:
    async def main() -> Answer:
        target = resolve(TargetOptions(base_url=url, backend="openai"))
        backend: Any = backend_for("openai", "t2i")
        transport = UrlAnswers(make_transport(name, target), backend, target.origin, target.prefix)
        assert await transport.open(1) == 1
        done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        exchange = transport.send(REQUEST, lambda answer: done.set_result(answer._replace(body=bytes(answer.body))))
        answer = await asyncio.wait_for(done, 20)
        assert exchange.sent_ns == answer.sent_ns
        await transport.close()
        return answer

    return uvloop.run(main())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("urls", "paths"),
    [
        ((PATH,), [PATH]),
        ((PATH, "/second.png?variant=1&x=%2F"), [PATH, "/second.png?variant=1&x=%2F"]),
        (("@" + PATH,), [PATH]),
        (("@/files/a.png?sig=1",), ["/files/a.png?sig=1"]),
    ],
)
def test_media_are_fetched_from_the_server_and_end_the_latency(
    name: str, urls: tuple[str, ...], paths: list[str]
) -> None:
    with images(*urls) as (url, seen):
        answer = fetched(name, url)
    assert (answer.status, answer.error, seen) == (200, ErrorKind.NONE, paths)
    reply = backend_for("openai", "t2i").read(answer.body, "t2i", len(urls))
    assert [bytes(medium[:]) for medium in reply.media] == [PICTURE] * len(urls)
    assert reply.inference_s == 0.25
    assert list(backend_for("openai", "t2i").media(bytes(answer.body))) == [PICTURE] * len(urls)
    milestones = answer.milestones
    assert answer.sent_ns < milestones.completed_ns < milestones.content_ns == answer.done_ns
    assert milestones.completed_ns == milestones.pending_ns  # no uncertainty: nothing was polled


@pytest.mark.parametrize("name", NAMES)
def test_a_fetch_that_fails_is_an_error_that_says_where(name: str) -> None:
    with images(PATH, status=404) as (url, _):
        answer = fetched(name, url)
    step = job_step(answer.milestones.accepted_ns, answer.milestones.completed_ns)
    assert error_name(ErrorKind.HTTP, answer.status, step) == "content_http_404"


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/a.png", "https://example.com/a.png", "//example.com/a.png", "file:///etc/passwd", "s3://b/k",
     "a.png", "/a\r\nX: y", "/a b", "/\u00e9", "http://[::1/x", "/" + "a" * 5_000],
)  # fmt: skip
def test_nothing_is_fetched_from_elsewhere(url: str) -> None:
    with images(url) as (base, seen):
        answer = fetched("native", base)
    assert (answer.error, seen) == (ErrorKind.NO_MEDIA, [])
    assert "only URLs on http://127.0.0.1" in answer.detail


def test_an_answer_without_urls_is_left_alone() -> None:
    text = base64.b64encode(PICTURE).decode()
    for item in (
        {"b64_json": text},
        {"b64_json": f"data:image/png;base64,{text}"},
        {"url": f"data:image/png;base64,{text}"},
    ):
        body = orjson.dumps({"data": [item]})
        assert media_urls.urls(body) == ()
        (medium,) = backend_for("openai", "t2i").read(body, "t2i").media
        assert bytes(medium[:]) == PICTURE
    for odd in (b"", b"[]", b'{"data": 7}', b'{"data": [7, null, {"url": 5}, {"url": ""}]}', b"<html>"):
        assert media_urls.urls(odd) == ()


@pytest.mark.parametrize("transport", NAMES)
def test_a_run_fetches_saves_and_says_that_the_fetch_is_inside_the_latency(transport: str, tmp_path: Path) -> None:
    words = ("--backend", "openai", "--model", "m", "--response-format", "url", "--num-prompts", "3")
    with images(PATH) as (url, seen):
        code, out, err = run(
            "bench", *T2I, "--base-url", url, *words, "--transport", transport, "--save-dir", str(tmp_path / "media")
        )
        assert code == 0, err
        assert "its time is part of service and response" in " ".join((out + err).split())
    assert seen == [PATH] * 4  # a warm-up too
    assert [path.read_bytes() for path in (tmp_path / "media").iterdir() if path.is_file()] == [PICTURE] * 3


def test_without_the_flag_a_url_is_no_medium_and_the_message_names_the_flag() -> None:
    with images(PATH) as (url, seen):
        words = ("--backend", "openai", "--model", "m", "--num-prompts", "2", "--force")
        result = bench(*T2I, "--base-url", url, *words, code=4)
    assert "--response-format url fetches it" in result["errors"]["no_media"]["example"]
    assert seen == []


def test_a_backend_without_such_a_field_is_bad_usage() -> None:
    words = ("--simulate", "--backend", "vllm-omni", "--response-format", "url", "--num-prompts", "1")
    code, _, err = run("bench", *T2I, *words)
    assert (code, err.count("\n")) == (2, 1)
    assert "--response-format url: --backend vllm-omni has no such field" in err
