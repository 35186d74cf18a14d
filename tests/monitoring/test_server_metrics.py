"""`--server-metrics` in whole runs: what is scraped is reported, and no page, nor the scraper's death, costs a run."""

import asyncio
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import aiohttp
import orjson
import pytest

from collector.errors import RunError
from collector.saved import metrics_series
from collector.saved.metrics_log import MetricsLog, Scrapes
from collector.saved.run_folder import read_run
from loadgen.monitoring import metrics_scraper
from tests.support.commands import LIMIT_S, T2I, bench, run, server

PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
BODY = b"# TYPE running gauge\nrunning %d\n"
SHORT = ("--num-prompts", "12", "--request-rate", "4", "--max-concurrency", "50", "--warmup-requests", "0")

Peer = Callable[[socket.socket, bytes], None]


def whole(content: bytes, head: bytes = PAGE) -> bytes:
    return head + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(content) + content


def said(answer: bytes) -> Peer:
    return lambda peer, _: peer.sendall(answer)


def hanging(peer: socket.socket, _: bytes) -> None:
    peer.recv(1)  # until the other side goes away


def dripping(peer: socket.socket, _: bytes) -> None:
    for byte in PAGE + b"X: " + b"x" * 1000:
        peer.sendall(bytes([byte]))
        time.sleep(0.2)


def endless(peer: socket.socket, _: bytes) -> None:
    peer.sendall(PAGE + b"\r\n")
    while True:
        peer.sendall(b"running 1\n" * 6000)


def resetting(peer: socket.socket, _: bytes) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def asks_for_a_word(peer: socket.socket, request: bytes) -> None:
    allowed = b"Authorization: Basic dXNlcjpzZWNyZXQ=" in request  # user:secret
    peer.sendall(whole(BODY % time.monotonic_ns()) if allowed else b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")


def crowded(peer: socket.socket, _: bytes) -> None:
    lines = [f"a_{number} {time.monotonic_ns()}\n" for number in range(metrics_scraper.MOST_SERIES + 5)]
    peer.sendall(whole("".join(lines).encode()))


BROKEN: tuple[tuple[str, Peer, str], ...] = (
    ("hanging", hanging, "was not received within"),
    ("dripping", dripping, "was not received within"),
    ("endless", endless, "is larger than 4 MiB"),
    ("resetting", resetting, "broke off"),
    ("silent", said(b""), "broke off"),
    ("missing", said(whole(b"", b"HTTP/1.1 404 Not Found\r\n")), "answers HTTP 404"),
    ("html", said(whole(b"<html></html>")), "is no Prometheus page"),
    ("empty", said(whole(b"")), "has no metrics"),
    ("binary", said(whole(bytes(range(256)))), "is no Prometheus page"),
    ("cut", said(PAGE + b"Content-Length: 500\r\n\r\nrunning 1\n"), "broke off"),
    ("no_http", said(b"SSH-2.0-OpenSSH_9.2\r\n"), "broke off"),
    ("zipped", said(whole(b"x", PAGE + b"Content-Encoding: gzip\r\n")), "is compressed"),
    ("circling", said(whole(b"", b"HTTP/1.1 302 Found\r\nLocation: /circling\r\n")), "redirects more than 3 times"),
    (
        "astray",
        said(whole(b"", b"HTTP/1.1 302 Found\r\nLocation: gopher://user:secret@x/\r\n")),
        "redirects to an invalid URL",
    ),
)
PEERS: dict[str, Peer] = {
    "locked?key=secret": asks_for_a_word,
    "crowded": crowded,
    **{name: peer for name, peer, _ in BROKEN},
}


@contextmanager
def pages() -> Iterator[str]:
    """A server whose paths are `PEERS`, a thread a connection; gives its host and port."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        threading.Thread(target=_accept, args=(listener,), daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def _accept(listener: socket.socket) -> None:
    with suppress(OSError):
        while True:
            peer, _ = listener.accept()
            threading.Thread(target=_answer, args=(peer,), daemon=True).start()


def _answer(peer: socket.socket) -> None:
    with peer, suppress(OSError):
        if request := peer.recv(65_536):  # a client short of time may go away before it asks
            PEERS[request.split()[1].decode().strip("/")](peer, request)


def gauge(result: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (one for one in result["server_metrics"]["changed"] if one["name"].startswith(name))
    return dict(found)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A saved run against one replica of 0.4 s at 4/s, and its result."""
    folder = tmp_path_factory.mktemp("watched")
    words = (*T2I, *SHORT, "--simulate=--replicas 1 --base-ms 400", "--server-metrics", "/metrics")
    result = bench(*words, "--run-dir", str(folder / "run"), "--html", str(folder / "page.html"))
    return folder, result


def test_queue_running_and_gpu_use_of_the_simulated_server_are_in_the_report(
    watched: tuple[Path, dict[str, Any]],
) -> None:
    folder, result = watched
    waiting, running = gauge(result, "vllm:num_requests_waiting"), gauge(result, "vllm:num_requests_running")
    assert (running["min"], running["max"]) == (1, 1)
    assert 1 <= waiting["max"] <= 11
    assert waiting["samples"] >= 3  # 12 times 0.4 s, once a second, on a machine that may stall
    assert gauge(result, "vllm:gpu_utilization")["max"] == 1
    assert gauge(result, "vllm:requests_total")["mean"] > 0
    assert result["server_metrics"]["warning"] is None
    assert result["config"]["target"]["server_metrics"] == ["/metrics"]
    assert '"label":"vllm:num_requests_waiting"' in (folder / "page.html").read_text()


def test_a_saved_run_has_scrapes_from_before_to_after_and_is_reported_again(
    watched: tuple[Path, dict[str, Any]],
) -> None:
    folder, result = watched
    saved = read_run(folder / "run")
    (one, *_) = metrics_series.moved(saved.scrapes, saved.info.started_ns)
    assert one.at_s[0] < 0
    assert one.at_s[-1] > result["duration"]
    code, out, err = run("report", str(folder / "run"), "--output-file", str(folder / "again.json"))
    assert code == 0, err
    assert "vllm:num_requests_waiting" in out
    assert orjson.loads((folder / "again.json").read_bytes())["server_metrics"] == result["server_metrics"]


@pytest.mark.parametrize("content", [b"{}\n", b"[1\n", b'{"page":0,"url":5}\n', b'{"page":0,"at_ns":1,"values":{}}\n'])
def test_scrapes_that_are_damaged_are_named(
    watched: tuple[Path, dict[str, Any]], tmp_path: Path, content: bytes
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(watched[0] / "run", copy)
    (copy / "metrics.jsonl").write_bytes(content)
    with pytest.raises(RunError, match=r"metrics\.jsonl: is damaged"):
        read_run(copy)
    (copy / "metrics.jsonl").unlink()
    assert read_run(copy).scrapes is None


async def scraped(urls: list[str], limit_s: float, log: MetricsLog) -> list[str]:
    """Scrape each page once in this process; gives what was wrong with it. The real scraper is niced."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=limit_s), auto_decompress=False) as session:
        each = [metrics_scraper.Page(number, url, log, {}) for number, url in enumerate(urls)]
        for page in each:
            await page.scrape(session)
        return [page.problem for page in each]


@pytest.mark.parametrize(("name", "what"), [(name, what) for name, _, what in BROKEN])
def test_what_is_wrong_with_a_page_is_said(name: str, what: str) -> None:
    limit_s = 0.5 if name in ("hanging", "dripping") else LIMIT_S
    with pages() as place, TemporaryFile() as file:
        (problem,) = asyncio.run(scraped([f"http://{place}/{name}"], limit_s, MetricsLog(file.fileno())))
    assert what in problem


def test_a_page_that_cannot_be_reached_or_trusted_says_why() -> None:
    with server(tls=True) as strange, TemporaryFile() as file:
        urls = ["http://127.0.0.1:9/metrics", f"{strange}/metrics"]
        refused, untrusted = asyncio.run(scraped(urls, LIMIT_S, MetricsLog(file.fileno())))
    assert "Connection refused" in refused
    assert "cannot be trusted (self-signed certificate)" in untrusted


def test_a_page_with_a_password_is_read_and_one_with_too_many_series_is_cut() -> None:
    with pages() as place, TemporaryFile() as file:
        urls = [f"http://user:secret@{place}/locked?key=secret", f"http://{place}/crowded"]
        assert asyncio.run(scraped(urls, LIMIT_S, MetricsLog(file.fileno()))) == ["", ""]
        scrapes = Scrapes.of_file(file.fileno())
    good, crowded_page = scrapes.pages.values()
    assert (good.url, good.truncated) == (f"http://{place}/locked?...", False)
    assert (len(crowded_page.failed), crowded_page.truncated) == (0, True)
    tracked = [track.name for track in scrapes.tracks.values()]
    assert tracked[0] == "running"
    assert sum(name.startswith("a_") for name in tracked) == metrics_scraper.MOST_SERIES


def test_no_broken_page_costs_a_run_and_each_is_named_once_with_what_is_wrong_and_no_secret(tmp_path: Path) -> None:
    names = ("hanging", "resetting", "missing", "html")
    with pages() as place, server(base_ms=20, replicas=50) as url:
        words = [word for name in names for word in ("--server-metrics", f"http://{place}/{name}")]
        words += ["--server-metrics", f"http://user:secret@{place}/locked?key=secret"]
        words += ["--run-dir", str(tmp_path / "run"), "--html", str(tmp_path / "page.html"), "--output-file", "-"]
        loud = [word for word in T2I if word != "--disable-tqdm"]
        code, out, err = run("bench", *loud, *SHORT, "--base-url", url, *words)
    assert code == 0, err
    result = orjson.loads(out)
    assert result["completed_requests"] == 12
    *broken, good = result["server_metrics"]["pages"]
    for name, page in zip(names, broken, strict=True):
        assert page["url"].endswith(f"/{name}")
        assert page["failed"] == page["scrapes"] > 0
        assert err.count(f"{page['url']}: {page['error']}; the run continues") == 1
        assert " ".join(err.split()).count(f"{page['url']}: {page['failed']} of") == 1
    assert (good["url"], good["scrapes"] > 0) == (f"http://{place}/locked?...", True)
    kept = [path.read_bytes().decode(errors="replace") for path in tmp_path.rglob("*") if path.is_file()]
    assert len(kept) > 5
    assert not any("secret" in text for text in (out, err, *kept))


def test_a_page_of_no_use_is_refused_before_anything_is_started() -> None:
    code, _, err = run("bench", *T2I, "--server-metrics", "gpu:9400/metrics")
    assert code == 2
    assert "--server-metrics 'gpu:9400/metrics': give http://HOST:PORT/metrics" in err
