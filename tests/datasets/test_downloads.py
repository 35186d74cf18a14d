import io
import json
import stat
import threading
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from loadgen import datasets
from loadgen.datasets import Hub
from loadgen.datasets.downloads import TRACE_REPOSITORY, VBENCH_INFO_ID, VBENCH_ORIGIN_ID, unpack_images
from loadgen.errors import DownloadError
from loadgen.options import DataOptions

TRACE_PATH = f"/datasets/{TRACE_REPOSITORY}/resolve/main/"


@dataclass
class StandIn:
    """A loopback hub: what it serves by path, and which paths were asked for by GET."""

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    cut_short: bool = False
    url: str = ""


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    hub = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def do_GET(self) -> None:
            hub.asked.append(self.path)
            self.answer(with_body=True)

        def answer(self, with_body: bool) -> None:
            content = hub.files.get(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.send_header("ETag", '"0123456789abcdef"')
            self.send_header("X-Repo-Commit", "0" * 40)
            self.end_headers()
            if with_body and content:
                self.wfile.write(content[: len(content) // 2] if hub.cut_short else content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield hub
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def hub(stand_in: StandIn, tmp_path: Path) -> Hub:
    return Hub(
        hf_endpoint=stand_in.url,
        hf_cache=tmp_path / "hf",
        drive_url=stand_in.url + "/uc?id={id}",
        vbench_url=stand_in.url + "/prompts.txt",
        cache=tmp_path / "cache",
    )


def zipped(files: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def drive(info: object, origin: Mapping[str, bytes]) -> dict[str, bytes]:
    return {
        f"/uc?id={VBENCH_INFO_ID}": json.dumps(info).encode(),
        f"/uc?id={VBENCH_ORIGIN_ID}": zipped(origin),
    }


def left_over(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.startswith(".part-")]


@pytest.mark.parametrize(("task", "name"), [("t2i", "sd3_trace.txt"), ("t2v", "cogvideox_trace.txt")])
def test_the_default_trace_comes_from_hugging_face(stand_in: StandIn, hub: Hub, task: str, name: str) -> None:
    stand_in.files[TRACE_PATH + name] = b"Request(prompt='from afar', width=512, height=512)\n"
    found = datasets.load(DataOptions(dataset="trace", task=task), count=10, hub=hub)
    assert [sample.prompt for sample in found.samples] == ["from afar"]
    assert TRACE_PATH + name in stand_in.asked


def test_a_trace_that_is_not_there_says_what_failed_and_where_to_put_it(hub: Hub) -> None:
    with pytest.raises(DownloadError) as caught:
        datasets.load(DataOptions(dataset="trace", task="t2i"), count=1, hub=hub)
    message = str(caught.value)
    assert "sd3_trace.txt" in message
    assert "404" in message
    assert str(hub.cache / "Dit_Trace" / "sd3_trace.txt") in message
    assert "\n" not in message


def test_a_trace_put_there_by_hand_is_used_without_asking(stand_in: StandIn, hub: Hub) -> None:
    place = hub.cache / "Dit_Trace" / "sd3_trace.txt"
    place.parent.mkdir(parents=True)
    place.write_text("Request(prompt='by hand')")
    found = datasets.load(DataOptions(dataset="trace", task="t2i"), count=1, hub=hub)
    assert found.samples[0].prompt == "by hand"
    assert stand_in.asked == []


def test_the_prompt_list_is_downloaded_once(stand_in: StandIn, hub: Hub) -> None:
    stand_in.files["/prompts.txt"] = b"a cat\na dog\n"
    for _ in range(2):
        found = datasets.load(DataOptions(dataset="vbench", task="t2v"), count=10, hub=hub)
        assert [sample.prompt for sample in found.samples] == ["a cat", "a dog"]
    assert stand_in.asked == ["/prompts.txt"]


@pytest.mark.parametrize("content", [None, b"", b"<html>please sign in</html>", b"\xff\xfe"])
def test_an_answer_that_is_no_prompt_list_is_refused_and_not_kept(
    stand_in: StandIn, hub: Hub, content: bytes | None
) -> None:
    if content is not None:
        stand_in.files["/prompts.txt"] = content
    with pytest.raises(DownloadError, match=r"subject_consistency\.txt by hand"):
        hub.vbench_prompts()
    assert [path for path in hub.cache.rglob("*") if path.is_file()] == []


def test_a_download_that_breaks_off_is_never_taken_for_a_whole_one(stand_in: StandIn, hub: Hub) -> None:
    stand_in.files = {"/prompts.txt": b"a cat\n" * 1000, **drive([], {"origin/a.png": b"x" * 1000})}
    stand_in.cut_short = True
    for fetch in (hub.vbench_prompts, hub.vbench_images):
        with pytest.raises(DownloadError):
            fetch()
    assert [path for path in hub.cache.rglob("*") if path.is_file()] == []
    stand_in.cut_short = False
    assert hub.vbench_prompts().read_bytes() == b"a cat\n" * 1000


def test_the_image_set_comes_from_google_drive_and_is_kept(stand_in: StandIn, hub: Hub) -> None:
    info = [{"file_name": "a.png", "caption": "an ant"}]
    stand_in.files = drive(info, {"origin/": b"", "origin/a.png": b"png"})
    for _ in range(2):
        found = datasets.load(DataOptions(dataset="vbench", task="i2v"), count=10, hub=hub).samples
        assert [(sample.prompt, sample.images[0].name) for sample in found] == [("an ant", "a.png")]  # type: ignore[union-attr]
    assert len(stand_in.asked) == 2
    assert left_over(hub.cache) == []


@pytest.mark.parametrize("broken", ["missing", "no zip", "too large", "no images"])
def test_an_image_set_that_cannot_be_unpacked_is_refused_and_not_kept(stand_in: StandIn, hub: Hub, broken: str) -> None:
    stand_in.files = drive([], {"a.png": bytes(5000)} if broken != "no images" else {"readme.txt": b"x"})
    if broken == "missing":
        del stand_in.files[f"/uc?id={VBENCH_ORIGIN_ID}"]
    if broken == "no zip":
        stand_in.files[f"/uc?id={VBENCH_ORIGIN_ID}"] = b"<html>quota exceeded</html>"
    with pytest.raises(DownloadError, match=r"data/origin by hand"):
        replace(hub, unpacked_limit_bytes=4999).vbench_images()
    assert not (hub.cache / "vbench-i2v" / "data" / "origin").exists()
    assert left_over(hub.cache) == []


def test_an_archive_writes_below_its_folder_only(tmp_path: Path) -> None:
    archive = tmp_path / "in" / "evil.zip"
    archive.parent.mkdir()
    archive.write_bytes(zipped({"../../out.png": b"1", "/tmp/abs.png": b"2", "deep/er/in.JPG": b"3"}))
    unpack_images(archive, tmp_path / "in" / "unpacked", 100)
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert files == ["in/evil.zip", "in/unpacked/abs.png", "in/unpacked/in.JPG", "in/unpacked/out.png"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFREG | stat.S_ISUID])
def test_what_an_archive_calls_a_link_or_a_device_becomes_a_plain_file(tmp_path: Path, kind: int) -> None:
    member = zipfile.ZipInfo("a.png")
    member.create_system, member.external_attr = 3, (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "odd.zip", "w") as archive:
        archive.writestr(member, "/etc/passwd")
    unpack_images(tmp_path / "odd.zip", tmp_path / "unpacked", 100)
    found = (tmp_path / "unpacked" / "a.png").lstat()
    assert stat.S_ISREG(found.st_mode)
    assert not found.st_mode & (stat.S_ISUID | stat.S_IXUSR)


def test_an_archive_that_lies_about_a_size_unpacks_no_more_than_it_claimed(tmp_path: Path) -> None:
    content = zipped({"a.png": bytes(1 << 20)})
    place = content.index(b"PK\x01\x02")
    lying = bytearray(content)
    lying[place + 24 : place + 28] = (10).to_bytes(4, "little")
    (tmp_path / "lying.zip").write_bytes(lying)
    with pytest.raises(zipfile.BadZipFile):
        unpack_images(tmp_path / "lying.zip", tmp_path / "unpacked", 100)
    assert sum(path.stat().st_size for path in (tmp_path / "unpacked").iterdir()) <= 10


@pytest.mark.parametrize("name", ["many small", "one large"])
def test_an_archive_that_unpacks_to_too_much_writes_nothing(tmp_path: Path, name: str) -> None:
    files = {f"{i}.png": bytes(60) for i in range(20)} if name == "many small" else {"a.png": bytes(1 << 20)}
    (tmp_path / "bomb.zip").write_bytes(zipped(files))
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        unpack_images(tmp_path / "bomb.zip", tmp_path / "unpacked", 1000)
    assert not (tmp_path / "unpacked").exists()


def test_a_list_that_does_not_end_is_refused_at_its_limit(stand_in: StandIn, hub: Hub) -> None:
    stand_in.files = {"/prompts.txt": b"a cat\n" * 100, **drive([{"caption": "c" * 500}], {"a.png": b"x"})}
    limited = replace(hub, list_limit_bytes=500)
    for fetch in (limited.vbench_prompts, limited.vbench_images):
        with pytest.raises(DownloadError, match="more than 500 bytes"):
            fetch()
    assert [path for path in hub.cache.rglob("*") if path.is_file()] == []


def test_two_downloads_at_once_both_find_the_whole_set(stand_in: StandIn, hub: Hub) -> None:
    stand_in.files = drive([{"file_name": "a.png", "caption": "c"}], {f"{i}.png": bytes(100) for i in range(50)})
    found: list[int] = []

    def fetch() -> None:
        found.append(len(list((hub.vbench_images() / "data" / "origin").iterdir())))

    threads = [threading.Thread(target=fetch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [50] * 4
    assert left_over(hub.cache) == []


def test_a_cache_that_cannot_be_written_is_a_download_error(stand_in: StandIn, hub: Hub, tmp_path: Path) -> None:
    stand_in.files["/prompts.txt"] = b"a cat"
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DownloadError):
        replace(hub, cache=tmp_path / "file").vbench_prompts()
