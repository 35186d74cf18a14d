import contextlib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loadgen import datasets
from loadgen.datasets import trace
from loadgen.datasets.sample import Sample
from loadgen.errors import InputError, UsageError
from loadgen.options import DataOptions, Shape

NO_STEPS = Shape(num_inference_steps=None)


def load(path: Path | str, task: str = "t2i", count: int | None = None, timestamps: bool = False) -> list[Sample]:
    options = DataOptions(dataset="trace", task=task, dataset_path=str(path), shape=NO_STEPS)
    return list(datasets.load(options, count=count, arrival_timestamps=timestamps).samples)


def written(folder: Path, *lines: str, name: str = "trace.txt") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_every_key_of_a_row_reaches_its_field(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "# a comment",
        "",
        "Request(request_id='a', timestamp=0.5, height=480, width=640, num_frames=81, prompt='a cat', seed=0, fps=16,"
        " negative_prompt='blur', num_inference_steps=20, slo_ms=1500, guidance_scale=7.5, prompt_2='x')",
        "  Request(request_id=7, text='a dog', width=512.0)  ",
    )
    assert load(path) == [
        Sample(
            prompt="a cat",
            request_id="a",
            width=640,
            height=480,
            num_frames=81,
            num_inference_steps=20,
            seed=0,
            fps=16,
            slo_ms=1500.0,
            timestamp_s=0.5,
            extra={"negative_prompt": "blur", "guidance_scale": 7.5, "prompt_2": "x"},
        ),
        Sample(prompt="a dog", request_id="7", width=512),
    ]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("Request(prompt='a'", "does not parse"),
        ("Request(prompt='a', prompt='b')", "prompt is given twice"),
        ("Request('a')", "not of the form"),
        ("Response(prompt='a')", "not of the form"),
        ("{'prompt': 'a'}", "not of the form"),
        ("Request(**{'prompt': 'a'})", "** is no key=value"),
        ("Request(prompt=open('/etc/passwd'))", "prompt is not a literal"),
        ("Request(prompt='a', width=2*256)", "width is not a literal"),
        ("Request(prompt='a', width=0)", "width 0 is not a positive whole number"),
        ("Request(prompt='a', width=-512)", "width -512 is not a positive"),
        ("Request(prompt='a', height='512')", "height '512' is not a positive"),
        ("Request(prompt='a', height=512.5)", "height 512.5 is not a positive"),
        ("Request(prompt='a', num_frames=True)", "num_frames True is not a positive"),
        ("Request(prompt='a', num_inference_steps=1e999)", "num_inference_steps inf is not a positive"),
        ("Request(prompt='a', fps=[16])", "fps [16] is not a finite number above 0"),
        ("Request(prompt='a', seed='x')", "seed 'x' is not a whole number"),
        ("Request(prompt='a', slo_ms=0)", "slo_ms 0 is not a finite number above 0"),
        ("Request(prompt='a', slo_ms=True)", "slo_ms True is not a finite number above 0"),
        ("Request(prompt='a', slo_ms=1e999)", "slo_ms inf is not a finite number above 0"),
        ("Request(prompt='a', timestamp=-1)", "timestamp -1 is not a finite number of 0 or more"),
        ("Request(prompt='a', timestamp='0')", "timestamp '0' is not a finite number"),
        ("Request(prompt=5)", "prompt 5 is not text"),
        ("Request(prompt='\\ud800')", "half a character"),
        ("Request(prompt='a', text='b')", "prompt and its alias text differ"),
        ("Request(width=512)", "no prompt"),
        ("Request(prompt='a', request_id=1.5)", "request_id 1.5 is not text"),
        ("Request(prompt='a', negative_prompt=3)", "negative_prompt 3 is not text"),
        ("Request(prompt='a', heigth=512)", "unknown key 'heigth'; did you mean 'height'?"),
        ("Request(prompt='a', mask=b'x')", "mask: has a value that JSON cannot hold"),
        ("Request(prompt='a', strength=1e999)", "strength: has a value that JSON cannot hold"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(tmp_path: Path, row: str, problem: str) -> None:
    path = written(tmp_path, "Request(prompt='good')", "", row)
    with pytest.raises(InputError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}:3: ")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_line_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes(b"Request(prompt='good')\nRequest(prompt='caf\xe9')\n")
    with pytest.raises(InputError, match=r"latin\.txt:2: not UTF-8"):
        load(path)


def test_a_byte_order_mark_is_no_part_of_the_first_row(tmp_path: Path) -> None:
    path = tmp_path / "bom.txt"
    path.write_bytes(b"\xef\xbb\xbfRequest(prompt='a')\r\nRequest(prompt='b')\r\n")
    assert [sample.prompt for sample in load(path)] == ["a", "b"]


def test_a_trace_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="empty trace"):
        load(written(tmp_path, "# nothing", ""))


def test_reading_stops_after_the_rows_that_are_wanted(tmp_path: Path) -> None:
    path = written(tmp_path, "Request(prompt='a')", "Request(prompt='b')", "broken")
    assert [sample.prompt for sample in load(path, count=2)] == ["a", "b"]
    with pytest.raises(InputError, match=r":3: "):
        load(path, count=3)


def test_fewer_rows_than_wanted_are_all_there_is_and_do_not_repeat(tmp_path: Path) -> None:
    path = written(tmp_path, "Request(prompt='a')")
    found = datasets.load(DataOptions(dataset="trace", task="t2i", dataset_path=str(path)), count=9)
    assert (len(found.samples), found.repeats, found.source) == (1, False, str(path))


def test_equal_timestamps_are_in_order(tmp_path: Path) -> None:
    path = written(tmp_path, *(f"Request(prompt='a', timestamp={t})" for t in (3, 3, 4.5)))
    assert [sample.timestamp_s for sample in load(path, timestamps=True)] == [3.0, 3.0, 4.5]


@pytest.mark.parametrize(("second", "problem"), [("", "no timestamp"), (", timestamp=0.9", "0.9 is before the 1.0")])
def test_a_row_without_a_timestamp_or_before_the_one_above_is_named_by_its_line(
    tmp_path: Path, second: str, problem: str
) -> None:
    path = written(tmp_path, "Request(prompt='a', timestamp=1)", f"Request(prompt='b'{second})")
    assert len(load(path)) == 2  # nobody asked for timestamps
    with pytest.raises(InputError) as caught:
        load(path, timestamps=True)
    assert str(caught.value).startswith(f"{path}:2: ")
    assert problem in str(caught.value)


def test_a_path_may_be_a_file_a_folder_a_glob_or_several(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", "deep/c.txt", "d.log"):
        written(tmp_path, f"Request(prompt='{name}')", name=name)

    def prompts(path: str) -> list[str]:
        return [sample.prompt for sample in load(path)]

    assert prompts(f"{tmp_path}/b.txt") == ["b.txt"]
    assert prompts(str(tmp_path)) == ["a.txt", "b.txt", "deep/c.txt"]
    assert prompts(f"{tmp_path}/?.*") == ["a.txt", "b.txt", "d.log"]
    assert prompts(f"{tmp_path}/d.log, {tmp_path}/deep") == ["d.log", "deep/c.txt"]
    written(tmp_path, "Request(prompt='one')", name="x,y.txt")
    assert prompts(f"{tmp_path}/x,y.txt") == ["one"]


@pytest.mark.parametrize("missing", ["no.txt", "empty", "*.nothing", "", "x" * 5000])
def test_a_path_that_leads_nowhere_is_refused_by_its_flag(tmp_path: Path, missing: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="--dataset-path"):
        load(f"{tmp_path}/{missing}")


def test_images_are_looked_up_beside_the_trace(tmp_path: Path) -> None:
    for name in ("one.png", "pics/two.png"):
        written(tmp_path, "x", name=name)
    path = written(
        tmp_path,
        "Request(prompt='a', image_path='one.png')",
        "Request(image_paths=['pics/two.png', 'one.png'])",
        f"Request(image_path='{tmp_path}/one.png', image_paths='pics/two.png')",
    )
    one, two = tmp_path / "one.png", tmp_path / "pics/two.png"
    assert [sample.images for sample in load(path, "i2i")] == [(one,), (two, one), (one, two)]
    assert [sample.images for sample in load(path, "t2i", count=1)] == [()]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("Request(prompt='a')", "no image_path, image_paths or image_urls, which task i2v needs"),
        ("Request(prompt='a', image_paths=[])", "no image_path, image_paths or image_urls"),
        ("Request(prompt='a', image_path='gone.png')", "no image 'gone.png'"),
        ("Request(prompt='a', image_path=3)", "image_path 3 is not text"),
        ("Request(prompt='a', image_path='a\\x00b')", "no image"),
    ],
)
def test_an_image_task_without_its_image_is_named_by_file_and_line(tmp_path: Path, row: str, problem: str) -> None:
    path = written(tmp_path, row)
    with pytest.raises(InputError) as caught:
        load(path, "i2v")
    assert str(caught.value).startswith(f"{path}:1: ")
    assert problem in str(caught.value)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
ROWS = st.fixed_dictionaries(
    {"prompt": TEXTS},
    optional={
        "request_id": TEXTS,
        "timestamp": st.floats(0, 1e9),
        "width": st.integers(1, 4096),
        "slo_ms": st.floats(0.1, 1e9),
        "negative_prompt": TEXTS,
        "image_paths": st.lists(TEXTS),
        "guidance_scale": st.floats(allow_nan=False, allow_infinity=False),
    },
)


@given(ROWS)
def test_a_row_written_as_python_reads_back_as_it_was(row: dict[str, object]) -> None:
    line = f"Request({', '.join(f'{key}={value!r}' for key, value in row.items())})"
    assert trace.parse(line) == row


@given(st.one_of(st.text(), st.text().map("Request({})".format), st.text().map("Request(prompt='a', {})".format)))
@example("-" * 20_000 + "1")
@example("Request(a=" + "(" * 500 + ")" * 500 + ")")
@example("Request(prompt='a', width=0x" + "f" * 9_000 + ")")
@example("Request(prompt='a', timestamp=1" + "0" * 400 + ")")
@example("Request(prompt='a', " + "x" * 70 + "={[]: 1})")
def test_arbitrary_text_is_read_or_refused_as_input(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "arbitrary.txt"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with contextlib.suppress(InputError):
        assert len(load(path)) >= 1


@pytest.mark.parametrize("seed", [0, 2**63, 2**64 - 1, -(2**63)])
def test_a_seed_may_have_64_bits(tmp_path: Path, seed: int) -> None:
    assert load(written(tmp_path, f"Request(prompt='a', seed={seed})"))[0].seed == seed


@pytest.mark.parametrize("seed", [2**64, -(2**63) - 1, 1.5, "1", True])
def test_a_seed_that_no_server_can_read_is_named(tmp_path: Path, seed: object) -> None:
    with pytest.raises(InputError, match=r"trace\.txt:1: seed .* is not a whole number that fits 64 bits"):
        load(written(tmp_path, f"Request(prompt='a', seed={seed!r})"))


@pytest.mark.parametrize(("fps", "sent"), [("23.976", 23.976), ("16.0", 16), ("30", 30)])
def test_a_frame_rate_may_have_a_fraction_and_a_whole_one_has_no_decimal_point(
    tmp_path: Path, fps: str, sent: float
) -> None:
    found = load(written(tmp_path, f"Request(prompt='a', fps={fps})"))[0].fps
    assert (found, type(found)) == (sent, type(sent))


def test_escaped_surrogate_pairs_are_the_characters_they_mean_wherever_they_are(tmp_path: Path) -> None:
    row = r"Request(request_id='\ud83d\ude00', prompt='a \ud83d\ude00', negative_prompt='\ud83d\ude01',"
    row += r" tags=['\ud83d\ude02', {'\ud83d\ude03': '\ud83d\ude04'}])"
    sample = load(written(tmp_path, row))[0]
    assert (sample.request_id, sample.prompt) == ("\U0001f600", "a \U0001f600")
    tags = ["\U0001f602", {"\U0001f603": "\U0001f604"}]
    assert sample.extra == {"negative_prompt": "\U0001f601", "tags": tags}


@pytest.mark.parametrize(
    "row", [r"prompt='a \ude00\ud83d'", r"prompt='a', tags=['\ud83d']", r"prompt='a', x={'\ud83d': 1}"]
)
def test_half_a_surrogate_pair_is_named(tmp_path: Path, row: str) -> None:
    with pytest.raises(InputError, match=r"trace\.txt:2: .* half a character"):
        load(written(tmp_path, "Request(prompt='fine')", f"Request({row})"))


def test_hidden_traces_in_a_folder_are_skipped(tmp_path: Path) -> None:
    written(tmp_path, "Request(prompt='a')")
    for name in ("._trace.txt", ".git/notes.txt", "__MACOSX/trace.txt", "__MACOSX/._trace.txt"):
        written(tmp_path, "junk", name=name)
    assert [sample.prompt for sample in load(tmp_path)] == ["a"]
    assert [sample.prompt for sample in load(f"{tmp_path}/**/*.txt")] == ["a"]


def test_a_row_of_a_video_task_names_its_video(tmp_path: Path) -> None:
    (tmp_path / "in.mp4").write_bytes(b"x")
    path = written(tmp_path, "Request(prompt='a', video_path='in.mp4', video_urls=['http://h/v.mp4'])")
    assert load(path, "v2v")[0].videos == (tmp_path / "in.mp4", "http://h/v.mp4")
    assert load(path, "t2v")[0].videos == ()
    with pytest.raises(InputError, match="no video_path or video_url, which task v2v needs"):
        load(written(tmp_path, "Request(prompt='a')"), "v2v")
