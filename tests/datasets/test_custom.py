import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from loadgen import datasets
from loadgen.datasets import SampleSet
from loadgen.datasets.sample import Sample
from loadgen.errors import InputError, UsageError
from loadgen.options import DataOptions, Shape

NO_STEPS = Shape(num_inference_steps=None)


def written(folder: Path, *rows: object) -> Path:
    path = folder / "requests.jsonl"
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The URL of a server of the files of a folder."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def load(path: Path, task: str = "t2i", count: int | None = None, shape: Shape = NO_STEPS) -> SampleSet:
    return datasets.load(DataOptions(dataset="custom", task=task, dataset_path=str(path), shape=shape), count=count)


def test_every_key_reaches_its_field_and_all_others_the_request(tmp_path: Path) -> None:
    row = {"prompt": "a cat", "width": 640, "height": 480, "num_inference_steps": 20, "num_frames": 81, "fps": 23.976}
    row |= {"seed": 2**64 - 1, "slo_ms": 1500, "negative_prompt": "blur", "guidance_scale": 4.5, "lora": {"a": [1]}}
    found = load(written(tmp_path, row, "", {"prompt": "\U0001f600", "width": None}))
    assert list(found.samples) == [
        Sample(
            "a cat",
            width=640,
            height=480,
            num_inference_steps=20,
            num_frames=81,
            fps=23.976,
            seed=2**64 - 1,
            slo_ms=1500.0,
            extra={"negative_prompt": "blur", "guidance_scale": 4.5, "lora": {"a": [1]}},
        ),
        Sample("\U0001f600"),
    ]
    assert found.repeats
    assert len(load(written(tmp_path, row, row), count=1).samples) == 1


def test_the_row_wins_but_a_size_of_the_flags_does(tmp_path: Path) -> None:
    path = written(tmp_path, {"prompt": "a", "width": 9, "height": 9, "seed": 1}, {"prompt": "b"})
    one, other = load(path, shape=Shape(64, 32, 5, 7, 3, 8)).samples
    assert (one.width, one.height, one.seed, one.num_frames, one.fps) == (64, 32, 1, 5, 8)
    assert (other.seed, other.num_inference_steps) == (3, 7)


@pytest.mark.parametrize("keys", ["image_path", "image_paths"])
@pytest.mark.parametrize("many", [False, True])
def test_images_are_found_beside_the_file_then_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: str, many: bool
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.png").write_bytes(b"x")
    (tmp_path / "a.png").write_bytes(b"y")
    (tmp_path / "b.png").write_bytes(b"z")
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path / "data", *({"prompt": "p", keys: [name] if many else name} for name in ("a.png", "b.png")))
    beside, current = load(path, "i2v").samples
    assert (beside.images, current.images) == ((tmp_path / "data" / "a.png",), (Path("b.png"),))
    assert load(path, "t2v").samples[0] == Sample("p")


@pytest.mark.parametrize("key", ["video_path", "video_paths", "video_url", "video_urls"])
@pytest.mark.parametrize("many", [False, True])
def test_videos_are_files_or_urls(tmp_path: Path, key: str, many: bool) -> None:
    (tmp_path / "in.mp4").write_bytes(b"x")
    value = "in.mp4" if "path" in key else "https://host/in.mp4"
    (sample,) = load(written(tmp_path, {"prompt": "p", key: [value] if many else value}), "v2v").samples
    assert sample.videos == ((tmp_path / "in.mp4",) if "path" in key else ("https://host/in.mp4",))


def test_images_behind_urls_are_downloaded_before_the_run(tmp_path: Path) -> None:
    Image.new("RGB", (12, 34)).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    with served(tmp_path) as url:
        (sample,) = load(written(tmp_path, {"prompt": "p", "image_urls": f"{url}/a.png"}), "i2i").samples
        assert sample.images == (data,)
        with pytest.raises(InputError, match=r"requests\.jsonl:1: cannot download [^?]*gone\.png: [^?]*404"):
            load(written(tmp_path, {"prompt": "p", "image_url": f"{url}/gone.png?key=secret"}), "i2i")
        with pytest.raises(InputError, match=r":1: .*requests\.jsonl: the answer is not a readable image"):
            load(written(tmp_path, {"prompt": "p", "image_url": [f"{url}/requests.jsonl"]}), "i2i")


@pytest.mark.parametrize(
    ("row", "task", "problem"),
    [
        ({"text": "a"}, "t2i", "no prompt"),
        ({"prompt": 3}, "t2i", "prompt 3 is not text"),
        ({"prompt": None}, "t2i", "no prompt"),
        ([1], "t2i", "not a JSON object"),
        ("Request(prompt='a')", "t2i", "not JSON"),
        ('{"prompt": "\\ud800"}', "t2i", "not JSON"),
        ('{"prompt": NaN}', "t2i", "not JSON"),
        ({"prompt": "a", "width": "512"}, "t2i", "width '512' is not a positive whole number"),
        ({"prompt": "a", "fps": 0}, "t2v", "fps 0 is not a finite number above 0"),
        ({"prompt": "a", "seed": 2**64}, "t2v", "seed"),
        ({"prompt": "a"}, "i2v", "no image_path, image_paths or image_urls, which task i2v needs"),
        ({"prompt": "a"}, "v2v", "no video_path or video_url, which task v2v needs"),
        ({"prompt": "a", "image_paths": ["gone.png"]}, "i2i", "no image 'gone.png'"),
        ({"prompt": "a", "video_path": "gone.mp4"}, "v2v", "no video 'gone.mp4'"),
        ({"prompt": "a", "image_urls": "ftp://h/a.png"}, "i2i", "an image URL starts with http"),
        ({"prompt": "a", "image_urls": [3]}, "i2i", "image_urls 3 is not text"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(tmp_path: Path, row: object, task: str, problem: str) -> None:
    path = written(tmp_path, "", row)
    with pytest.raises(InputError) as caught:
        load(path, task)
    assert str(caught.value).startswith(f"{path}:2: ")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_missing_or_empty_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--dataset-path"):
        datasets.load(DataOptions(dataset="custom", task="t2i"), count=1)
    with pytest.raises(UsageError, match="no such file"):
        load(tmp_path)
    with pytest.raises(InputError, match="no row in it"):
        load(written(tmp_path, "", ""))
