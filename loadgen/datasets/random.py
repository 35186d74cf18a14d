"""The random dataset: synthetic samples, with shapes drawn by weight from the profiles of --random-request-config."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, overload

import numpy as np
import orjson
from numpy.typing import NDArray

from loadgen.datasets import row_fields
from loadgen.datasets.input_images import synthetic_png
from loadgen.datasets.sample import Sample
from loadgen.errors import UsageError
from loadgen.options import IMAGE_INPUT_TASKS, DataOptions, Shape

DEFAULT_COUNT: Final = 10_000  # distinct samples, if only --duration limits the requests
DEFAULT_SIDE: Final = 1024  # pixels of an input image without a given size
_FLAG: Final = "--random-request-config"
_KEYS: Final = (
    *("width", "height", "num_inference_steps", "num_frames", "fps", "seed"),
    *("prompt", "num_outputs_per_prompt", "weight"),
)
_VIDEO: Final = Path(__file__).parent.parent / "data" / "input_video.mp4"  # H.264, 256x256, 16 frames


@dataclass(frozen=True, slots=True)
class Profile:
    """What requests of one profile have in common; None leaves the prompt to its number."""

    shape: Shape
    prompt: str | None = None
    outputs: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RandomSamples(Sequence[Sample]):
    """`total` samples, made on access; sample i is of `profiles[choices[i]]` (`choices` None: the first one)."""

    total: int
    profiles: tuple[Profile, ...]
    choices: NDArray[np.uint16] | None
    images_per_sample: int = 0
    videos: tuple[Path, ...] = ()
    negative_prompts: bool = False

    def __len__(self) -> int:
        return self.total

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | Sequence[Sample]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self.total))]
        if not -self.total <= index < self.total:
            raise IndexError(index)
        return self._sample(index % self.total)

    def _sample(self, index: int) -> Sample:
        profile = self.profiles[0 if self.choices is None else int(self.choices[index])]
        shape = profile.shape
        width, height = shape.width or DEFAULT_SIDE, shape.height or DEFAULT_SIDE
        return Sample(
            prompt=profile.prompt or f"Random prompt {index} for benchmarking diffusion models",
            width=shape.width,
            height=shape.height,
            num_frames=shape.num_frames,
            num_inference_steps=shape.num_inference_steps,
            seed=shape.seed,
            fps=shape.fps,
            images=tuple(synthetic_png(width, height, number) for number in range(self.images_per_sample)),
            videos=self.videos,
            extra=self._extra(index, profile),
        )

    def _extra(self, index: int, profile: Profile) -> dict[str, object]:
        extra: dict[str, object] = {} if profile.outputs is None else {"n": profile.outputs}
        if self.negative_prompts:
            extra["negative_prompt"] = f"Negative prompt {index} for benchmarking diffusion models"
        return extra


def samples(options: DataOptions, count: int | None) -> RandomSamples:
    """Return `count` random samples (None: 10,000); the profiles of `--random-request-config` override the flags."""
    if options.task in IMAGE_INPUT_TASKS and options.num_input_images < 1:
        raise UsageError(f"--num-input-images {options.num_input_images}: task {options.task} needs 1 or more")
    total = DEFAULT_COUNT if count is None else count
    found, weights = profiles(options.random_request_config, options.shape)
    choices = None
    if len(found) > 1:
        drawn = np.random.default_rng(options.random_request_seed).choice(len(found), total, p=weights)
        choices = drawn.astype(np.uint16)
    images = options.num_input_images if options.task in IMAGE_INPUT_TASKS else 0
    videos = (_VIDEO,) if options.task == "v2v" else ()
    return RandomSamples(total, found, choices, images, videos, options.enable_negative_prompt)


def profiles(config: str | None, flags: Shape) -> tuple[tuple[Profile, ...], NDArray[np.float64]]:
    """Return profiles and weights (sum 1) of the JSON list of `--random-request-config`; missing keys are the flags'.

    UsageError names the flag and the profile, counted from 1.
    """
    if config is None:
        return (Profile(flags),), np.ones(1)
    try:
        entries = orjson.loads(config)
    except orjson.JSONDecodeError as error:
        raise UsageError(f"{_FLAG}: not JSON ({error}); give a list like '[{{\"width\": 512, ...}}]'") from None
    if not isinstance(entries, list) or not 0 < len(entries) < 2**16:
        raise UsageError(f"{_FLAG}: give a JSON list of one profile or more (and fewer than 65,536)")
    weighted = [_profile(entry, number, flags) for number, entry in enumerate(entries, 1)]
    weights = np.array([weight for _, weight in weighted])
    if not weights.any():
        raise UsageError(f"{_FLAG}: every weight is 0; give at least one profile a positive weight")
    weights /= weights.max()  # so that the sum of large weights stays finite
    return tuple(profile for profile, _ in weighted), weights / weights.sum()


def _profile(entry: object, number: int, flags: Shape) -> tuple[Profile, float]:
    place = f"{_FLAG}, profile {number}"
    if not isinstance(entry, dict):
        raise UsageError(f"{place}: not a JSON object; give an object with keys of {', '.join(_KEYS)}")
    if unknown := sorted(entry.keys() - set(_KEYS)):
        raise UsageError(f"{place}: unknown key {unknown[0]!r}; keys are {', '.join(_KEYS)}")
    weight = entry.get("weight", 1)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not (0 <= weight < math.inf):
        raise UsageError(f"{place}: weight {weight!r} is not a number of 0 or more")
    row = {key: value for key, value in entry.items() if key != "weight" and value is not None}
    try:
        return _of_row(row, flags), float(weight)
    except ValueError as error:
        raise UsageError(f"{place}: {error}") from None


def _of_row(row: row_fields.Row, flags: Shape) -> Profile:
    outputs = row_fields.whole(row, "num_outputs_per_prompt")
    prompt = row_fields.text("prompt", row.pop("prompt")) if "prompt" in row else None
    return Profile(
        Shape(
            width=row_fields.whole(row, "width") or flags.width,
            height=row_fields.whole(row, "height") or flags.height,
            num_frames=row_fields.whole(row, "num_frames") or flags.num_frames,
            num_inference_steps=row_fields.whole(row, "num_inference_steps") or flags.num_inference_steps,
            seed=row_fields.seed(row) if "seed" in row else flags.seed,
            fps=row_fields.frame_rate(row) or flags.fps,
        ),
        prompt,
        outputs,
    )
