import json
from pathlib import Path

import pytest

from loadgen import datasets
from loadgen.datasets import SampleSet
from loadgen.errors import InputError, UsageError
from loadgen.options import DataOptions


def load(path: Path, task: str, count: int | None = None) -> SampleSet:
    return datasets.load(DataOptions(dataset="vbench", task=task, dataset_path=str(path)), count=count)


def image_set(folder: Path, entries: object, *names: str) -> None:
    (folder / "origin").mkdir(parents=True)
    (folder / "i2v-bench-info.json").write_text(json.dumps(entries))
    for name in names:
        (folder / "origin" / name).write_bytes(b"x")


def test_a_prompt_list_has_one_prompt_a_line_and_repeats(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text("\ufeffa cat\n\n  # a dog \r\nlast", encoding="utf-8")
    found = load(path, "t2v")
    assert [sample.prompt for sample in found.samples] == ["a cat", "# a dog", "last"]
    assert (found.repeats, found.source) == (True, str(path))
    assert [sample.prompt for sample in load(path, "t2i", 2).samples] == ["a cat", "# a dog"]


def test_a_prompt_list_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--dataset-path .*: no such file"):
        load(tmp_path, "t2v")
    (tmp_path / "empty.txt").write_text("\n\n")
    with pytest.raises(InputError, match=r"empty\.txt: no prompt"):
        load(tmp_path / "empty.txt", "t2v")
    (tmp_path / "latin.txt").write_bytes(b"a\ncaf\xe9\n")
    with pytest.raises(InputError, match=r"latin\.txt:2: not UTF-8"):
        load(tmp_path / "latin.txt", "t2i")


@pytest.mark.parametrize("inner", [".", "data"])
@pytest.mark.parametrize("task", ["i2v", "i2i", "ti2v", "ti2i"])
def test_a_vbench_folder_gives_images_with_captions(tmp_path: Path, inner: str, task: str) -> None:
    entries = [{"file_name": "b.jpg", "caption": "a bee", "type": "x"}, {"file_name": "a.jpg", "caption": "an ant"}]
    image_set(tmp_path / inner, entries, "a.jpg", "b.jpg")
    found = load(tmp_path, task)
    origin = tmp_path / inner / "origin"
    assert [(sample.prompt, sample.images) for sample in found.samples] == [
        ("a bee", (origin / "b.jpg",)),
        ("an ant", (origin / "a.jpg",)),
    ]
    assert found.repeats
    assert len(load(tmp_path, task, 1).samples) == 1


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        ({}, "not a list"),
        ([{"file_name": "a.jpg", "caption": "ok"}, {"file_name": "b.jpg"}], "entry 2 has no file_name and caption"),
        (["a.jpg"], "entry 1 has no file_name"),
        ([{"file_name": "gone.jpg", "caption": "c"}], "entry 1: no image 'gone.jpg'"),
        ([{"file_name": "../secret.jpg", "caption": "c"}], "entry 1: no image '../secret.jpg'"),
        ([], "no images"),
    ],
)
def test_a_bad_list_of_captions_is_named_by_its_entry(tmp_path: Path, entries: object, problem: str) -> None:
    image_set(tmp_path, entries, "a.jpg")
    (tmp_path / "secret.jpg").write_bytes(b"x")
    with pytest.raises(UsageError, match=problem):
        load(tmp_path, "i2v")


def test_a_list_of_captions_that_is_no_json_is_named(tmp_path: Path) -> None:
    image_set(tmp_path, [])
    (tmp_path / "i2v-bench-info.json").write_text("<html>")
    with pytest.raises(InputError, match=r"i2v-bench-info\.json: not JSON"):
        load(tmp_path, "i2v")


def test_a_plain_folder_of_images_takes_the_stems_as_prompts(tmp_path: Path) -> None:
    for name in ("b cat.JPG", "a dog.webp", "notes.txt", "c.png"):
        (tmp_path / name).write_bytes(b"x")
    found = load(tmp_path, "ti2i").samples
    assert [sample.prompt for sample in found] == ["a dog", "b cat", "c"]
    assert found[1].images == (tmp_path / "b cat.JPG",)


def test_an_image_task_needs_a_folder_with_images(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--dataset-path .*: no images"):
        load(tmp_path, "i2i")
    (tmp_path / "file.txt").write_text("a prompt")
    with pytest.raises(UsageError, match=r"--dataset-path .*: no such folder"):
        load(tmp_path / "file.txt", "i2v")
