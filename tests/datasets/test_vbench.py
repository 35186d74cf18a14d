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
    with pytest.raises(UsageError, match=r"--dataset-path .*: a file; task i2v needs a folder of images"):
        load(tmp_path / "file.txt", "i2v")


def test_hidden_files_in_a_folder_of_images_are_skipped(tmp_path: Path) -> None:
    for name in ("cat.png", "._cat.png", ".DS_Store", ".hidden.jpg", "Thumbs.db", "__MACOSX/._cat.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert [sample.images for sample in load(tmp_path, "i2v").samples] == [(tmp_path / "cat.png",)]


PLACES = (".", "data", "data/origin", "data/crop", "data/crop/16-9", "data/i2v-bench-info.json", "data/../data/origin")


@pytest.mark.parametrize("place", PLACES)
def test_any_path_of_a_vbench_folder_leads_to_it(tmp_path: Path, place: str) -> None:
    image_set(tmp_path / "data", [{"file_name": "a.jpg", "caption": "an ant"}], "a.jpg")
    (tmp_path / "data/crop/16-9").mkdir(parents=True)
    (tmp_path / "data/crop/16-9/a.jpg").write_bytes(b"y")
    (sample,) = load(tmp_path / place, "i2v").samples
    chosen = "data/crop/16-9" if place.endswith("16-9") else "data/origin"
    assert (sample.prompt, sample.images) == ("an ant", (tmp_path.resolve() / chosen / "a.jpg",))
    if Path(place).name != "origin" and "crop" not in place:
        assert [each.prompt for each in load(tmp_path / place, "t2v").samples] == ["an ant"]


def test_a_folder_beside_a_list_of_captions_is_not_taken_for_its_images(tmp_path: Path) -> None:
    image_set(tmp_path, [{"file_name": "a.jpg", "caption": "an ant"}], "a.jpg")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "b.png").write_bytes(b"x")
    assert [sample.prompt for sample in load(tmp_path / "mine", "i2v").samples] == ["b"]


@pytest.mark.parametrize(
    "place", ["subject_consistency.txt", "prompts/prompts_per_dimension/subject_consistency.txt", "mine.txt"]
)
def test_a_folder_with_one_list_of_prompts_leads_to_it(tmp_path: Path, place: str) -> None:
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_text("a cat\n")
    (tmp_path / "._mine.txt").write_bytes(b"\0\xff")
    assert [sample.prompt for sample in load(tmp_path, "t2v").samples] == ["a cat"]


@pytest.mark.parametrize(
    ("name", "content", "prompts"),
    [
        ("a.csv", 'id,Prompt\n1,a cat\n2,"a dog, sleeping"\n3,\n', ["a cat", "a dog, sleeping"]),
        ("a.tsv", "caption\tid\na cat\t1\n", ["a cat"]),
        ("a.csv", "\ufeffprompt\na cat\n", ["a cat"]),
        ("a.jsonl", '{"prompt": "a cat", "id": 3}\n\n{"caption": "\\ud83d\\ude00"}\n', ["a cat", "\U0001f600"]),
        ("a.txt", '{"prompt_en": "a cat"}\n', ["a cat"]),
        ("a.json", '[{"prompt_en": "a cat", "dimension": ["x"]}, "a dog"]', ["a cat", "a dog"]),
        ("a.txt", "[cat] a cat\n{cat}\n", ["[cat] a cat", "{cat}"]),
    ],
)
def test_a_plain_table_of_prompts_is_read(tmp_path: Path, name: str, content: str, prompts: list[str]) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert [sample.prompt for sample in load(tmp_path / name, "t2v").samples] == prompts


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.csv", "id,words\n1,a cat\n", r"a\.csv:1: no column named prompt, caption, prompt_en or text"),
        ("a.csv", "", r"a\.csv:1: no column named"),
        ("a.jsonl", '{"prompt": "a", "image_path": "a.png"}', r"a\.jsonl:1: has image_path, .*--dataset custom"),
        ("a.jsonl", '{"prompt": "a"}\n{"prompt": "b", "width": 3}', r"a\.jsonl:2: has width, .*--dataset custom"),
        ("a.jsonl", '{"words": "a"}', r"a\.jsonl:1: no key prompt, caption, prompt_en or text"),
        ("a.jsonl", '{"prompt": "a"}\n{"prompt"', r"a\.jsonl:2: not JSON"),
        ("a.json", '[{"prompt": "a"}, 3]', r"a\.json: entry 2: not an object"),
        ("trace.txt", "Request(prompt='a')\n", r"trace\.txt: a trace, .*--dataset trace"),
    ],
)
def test_a_file_of_another_data_set_is_named_with_the_right_one(
    tmp_path: Path, name: str, content: str, problem: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=problem):
        load(tmp_path / name, "t2v")


@pytest.mark.parametrize("task", ["i2v", "i2i"])
def test_a_table_given_for_a_task_with_images_is_sent_to_the_custom_data_set(tmp_path: Path, task: str) -> None:
    (tmp_path / "a.jsonl").write_text('{"prompt": "a", "image_path": "a.png"}')
    with pytest.raises(UsageError, match="--dataset custom"):
        load(tmp_path / "a.jsonl", task)


def test_vbench_has_no_videos_to_send(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--dataset vbench has no videos for --task v2v; use --dataset custom"):
        load(tmp_path, "v2v")
