"""The random dataset: synthetic samples, with shapes drawn by weight from the profiles of --random-request-config."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, overload

import numpy as np
import orjson
from numpy.typing import NDArray

from loadgen.datasets.input_images import synthetic_png
from loadgen.datasets.sample import Sample
from loadgen.errors import UsageError
from loadgen.options import IMAGE_INPUT_TASKS, DataOptions, Shape

DEFAULT_COUNT: Final = 10_000  # distinct samples, if only --duration limits the requests
DEFAULT_SIDE: Final = 1024  # pixels of an input image without a given size
LARGEST: Final = 2**31 - 1
_FLAG: Final = "--random-request-config"
_KEYS: Final = ("width", "height", "num_inference_steps", "num_frames", "fps")


@dataclass(frozen=True, slots=True, eq=False)
class RandomSamples(Sequence[Sample]):
    """`total` samples, made on access; sample i has the shape `shapes[choices[i]]` (`choices` None: the first one)."""

    total: int
    shapes: tuple[Shape, ...]
    choices: NDArray[np.uint16] | None
    images_per_sample: int
    extra: Mapping[str, object]

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
        shape = self.shapes[0 if self.choices is None else int(self.choices[index])]
        width, height = shape.width or DEFAULT_SIDE, shape.height or DEFAULT_SIDE
        return Sample(
            prompt=f"Random prompt {index} for benchmarking diffusion models",
            width=shape.width,
            height=shape.height,
            num_frames=shape.num_frames,
            num_inference_steps=shape.num_inference_steps,
            seed=shape.seed,
            fps=shape.fps,
            images=tuple(synthetic_png(width, height, number) for number in range(self.images_per_sample)),
            extra=self.extra,
        )


def samples(options: DataOptions, count: int | None, extra: Mapping[str, object]) -> RandomSamples:
    """Return `count` random samples (None: 10,000); the profiles of `--random-request-config` override the flags."""
    if options.task in IMAGE_INPUT_TASKS and options.num_input_images < 1:
        raise UsageError(f"--num-input-images {options.num_input_images}: task {options.task} needs 1 or more")
    total = DEFAULT_COUNT if count is None else count
    shapes, weights = profiles(options.random_request_config, options.shape)
    choices = None
    if len(shapes) > 1:
        drawn = np.random.default_rng(options.random_request_seed).choice(len(shapes), total, p=weights)
        choices = drawn.astype(np.uint16)
    images = options.num_input_images if options.task in IMAGE_INPUT_TASKS else 0
    return RandomSamples(total, shapes, choices, images, extra)


def profiles(config: str | None, flags: Shape) -> tuple[tuple[Shape, ...], NDArray[np.float64]]:
    """Return shapes and weights (sum 1) of the JSON list of `--random-request-config`; missing keys are the flags'.

    UsageError names the flag and the profile, counted from 1.
    """
    if config is None:
        return (flags,), np.ones(1)
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
    return tuple(shape for shape, _ in weighted), weights / weights.sum()


def _profile(entry: object, number: int, flags: Shape) -> tuple[Shape, float]:
    place = f"{_FLAG}, profile {number}"
    if not isinstance(entry, dict):
        raise UsageError(f"{place}: not a JSON object; give an object with keys of {', '.join(_KEYS)}, weight")
    if unknown := sorted(entry.keys() - {*_KEYS, "weight"}):
        raise UsageError(f"{place}: unknown key {unknown[0]!r}; keys are {', '.join(_KEYS)}, weight")
    weight = entry.get("weight", 1)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not (0 <= weight < math.inf):
        raise UsageError(f"{place}: weight {weight!r} is not a number of 0 or more")
    given = {key: value for key, value in entry.items() if key != "weight" and value is not None}
    for key, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= LARGEST:
            raise UsageError(f"{place}: {key} {value!r} is not a positive whole number")
    return replace(flags, **given), float(weight)
