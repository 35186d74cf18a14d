"""Datasets: trace, vbench, custom and random turn files or flags into samples. Requests are encoded in backends/."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from loadgen.datasets import custom, random, trace, vbench
from loadgen.datasets.downloads import Hub
from loadgen.datasets.sample import Sample
from loadgen.errors import UsageError
from loadgen.options import DEFAULT_TASK, IMAGE_INPUT_TASKS, TASKS, DataOptions, Shape

__all__ = ["NAMES", "NEGATIVE_PROMPT", "Hub", "Sample", "SampleSet", "load"]

N = TypeVar("N", int, float)
NAMES = ("vbench", "trace", "random", "custom")
NEGATIVE_PROMPT = "blurry, distorted, low quality"  # of --enable-negative-prompt, for samples without one


@dataclass(frozen=True, slots=True)
class SampleSet:
    """Distinct samples in order; `repeats` says whether they repeat if there are more requests than samples.

    A trace repeats only with --duration. `source` names the files that the samples come from.
    """

    samples: Sequence[Sample]
    repeats: bool
    source: str


def load(
    options: DataOptions, *, count: int | None, arrival_timestamps: bool = False, hub: Hub | None = None
) -> SampleSet:
    """Return at most `count` samples (None: all) of `--dataset`, with the flags merged into each of them.

    `arrival_timestamps` demands ascending timestamps. UsageError, InputError or DownloadError for unusable input.
    """
    options = replace(options, task=options.task or DEFAULT_TASK)
    if options.task not in TASKS:
        raise UsageError(f"--task {options.task}: unknown; choose {', '.join(TASKS)}")
    if count is not None and count < 1:
        raise UsageError(f"--num-prompts {count}: give 1 or more")
    if arrival_timestamps and options.dataset != "trace":
        raise UsageError(f"--arrival trace: --dataset {options.dataset} has no timestamps; use --dataset trace")
    try:
        return _load(options, count, arrival_timestamps, hub or Hub())
    except OSError as error:
        path = error.filename or options.dataset_path
        raise UsageError(f"--dataset-path: cannot read {path}: {error.strerror or error}") from None


def _load(options: DataOptions, count: int | None, ascending: bool, hub: Hub) -> SampleSet:
    extra: dict[str, object] = {"negative_prompt": NEGATIVE_PROMPT} if options.enable_negative_prompt else {}
    match options.dataset:
        case "random":
            return SampleSet(random.samples(options, count), repeats=True, source="random")
        case "trace":
            paths = _trace_paths(options, hub)
            rows = trace.samples(paths, task=str(options.task), count=count, ascending=ascending)
            return SampleSet(_merged(rows, options.shape, extra), repeats=False, source=", ".join(map(str, paths)))
        case "vbench":
            path, rows = _vbench(options, count, hub)
            return SampleSet(_merged(rows, options.shape, extra), repeats=True, source=str(path))
        case "custom":
            path = _custom_path(options)
            rows = custom.samples(path, task=str(options.task), count=count)
            return SampleSet(_merged(rows, options.shape, extra), repeats=True, source=str(path))
    raise UsageError(f"--dataset {options.dataset}: unknown; choose {', '.join(NAMES)}")


def _custom_path(options: DataOptions) -> Path:
    if options.dataset_path is None:
        raise UsageError("--dataset custom has no default file; give --dataset-path, a file of JSON lines")
    return Path(options.dataset_path).expanduser()


def _trace_paths(options: DataOptions, hub: Hub) -> tuple[Path, ...]:
    if options.dataset_path is not None:
        return trace.find(options.dataset_path)
    return (hub.trace("cogvideox_trace.txt" if options.task == "t2v" else "sd3_trace.txt"),)


def _vbench(options: DataOptions, count: int | None, hub: Hub) -> tuple[Path, tuple[Sample, ...]]:
    if options.task == "v2v":
        raise UsageError("--dataset vbench has no videos for --task v2v; use --dataset custom, trace or random")
    given = None if options.dataset_path is None else Path(options.dataset_path).expanduser()
    if options.task in IMAGE_INPUT_TASKS:
        path = given or hub.vbench_images()
        return path, vbench.images(path, count, options.task)
    path = given or hub.vbench_prompts()
    return path, vbench.prompts(path, count)


def _merged(rows: tuple[Sample, ...], flags: Shape, extra: dict[str, object]) -> tuple[Sample, ...]:
    """Merge the flags into the rows: a size in the flags wins, for all else the row wins."""
    sized = flags.width is not None or flags.height is not None
    return tuple(
        replace(
            row,
            width=flags.width if sized else row.width,
            height=flags.height if sized else row.height,
            num_frames=_first(row.num_frames, flags.num_frames),
            num_inference_steps=_first(row.num_inference_steps, flags.num_inference_steps),
            seed=_first(row.seed, flags.seed),
            fps=_first(row.fps, flags.fps),
            extra={**extra, **row.extra},
        )
        for row in rows
    )


def _first(row: N | None, flag: N | None) -> N | None:
    return flag if row is None else row
