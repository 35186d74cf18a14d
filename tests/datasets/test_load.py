from pathlib import Path

import pytest

import loadgen
from loadgen import datasets
from loadgen.datasets import NEGATIVE_PROMPT
from loadgen.errors import UsageError
from loadgen.options import DataOptions, Shape


@pytest.mark.parametrize(
    ("flags", "size"),
    [
        (Shape(), (640, 480)),
        (Shape(width=256, height=128), (256, 128)),
        (Shape(width=256), (256, None)),
        (Shape(height=128), (None, 128)),
    ],
)
def test_the_size_comes_from_the_flags_where_either_is_given(
    tmp_path: Path, flags: Shape, size: tuple[int | None, int | None]
) -> None:
    (tmp_path / "t.txt").write_text("Request(prompt='a', width=640, height=480)")
    options = DataOptions(dataset="trace", task="t2i", dataset_path=f"{tmp_path}/t.txt", shape=flags)
    sample = datasets.load(options, count=1).samples[0]
    assert (sample.width, sample.height) == size


def test_frames_steps_seed_fps_and_negative_prompt_come_from_the_row_first(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text(
        "Request(prompt='a', num_frames=2, num_inference_steps=3, seed=0, fps=5, negative_prompt='')\n"
        "Request(prompt='b')"
    )
    shape = Shape(num_frames=20, num_inference_steps=30, seed=40, fps=50)
    options = DataOptions("trace", "t2v", f"{tmp_path}/t.txt", shape=shape, enable_negative_prompt=True)
    row, bare = datasets.load(options, count=None).samples
    assert (row.num_frames, row.num_inference_steps, row.seed, row.fps) == (2, 3, 0, 5)
    assert (bare.num_frames, bare.num_inference_steps, bare.seed, bare.fps) == (20, 30, 40, 50)
    assert row.extra == {"negative_prompt": ""}
    assert bare.extra == {"negative_prompt": NEGATIVE_PROMPT}


@pytest.mark.parametrize(
    ("options", "count", "timestamps", "problem"),
    [
        (DataOptions(dataset="coco"), 1, False, "--dataset coco: unknown; choose vbench, trace, random, custom"),
        (DataOptions(dataset="random", task="t2x"), 1, False, "--task t2x: unknown; choose t2i"),
        (DataOptions(dataset="random"), 0, False, "--num-prompts 0"),
        (DataOptions(dataset="random"), 1, True, "--arrival trace: --dataset random has no timestamps"),
        (DataOptions(dataset="vbench"), 1, True, "--arrival trace: --dataset vbench has no timestamps"),
    ],
)
def test_what_cannot_work_is_refused_by_its_flag(
    options: DataOptions, count: int, timestamps: bool, problem: str
) -> None:
    with pytest.raises(UsageError, match=problem):
        datasets.load(options, count=count, arrival_timestamps=timestamps)


def test_the_demo_trace_is_heterogeneous_and_partly_has_targets_of_its_own() -> None:
    path = Path(loadgen.__file__).parent / "data" / "demo_trace.txt"
    rows = datasets.load(DataOptions("trace", "t2i", str(path)), count=None, arrival_timestamps=True).samples
    targets = [row.slo_ms for row in rows if row.slo_ms is not None]
    assert len(rows) == len({row.request_id for row in rows}) == len({row.prompt for row in rows}) == 240
    assert len({(row.width, row.height) for row in rows}) >= 6
    assert len(targets) == 60
    assert all(150 <= target <= 900 for target in targets)
    assert rows[0].timestamp_s == 0.0
