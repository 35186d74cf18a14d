"""Applies the extra request fields of `--extra-body`, `--n` and `--response-format` to every sample."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from loadgen.datasets.sample import Sample
from loadgen.errors import UsageError
from loadgen.options import TargetOptions

_RESERVED: Final = {"prompt": "--dataset", "messages": "--dataset", "model": "--model"}
_COUNTED: Final = ("num_frames", "num_inference_steps")  # warm-ups and the SLO model use these


def with_extra_fields(samples: Sequence[Sample], target: TargetOptions) -> Sequence[Sample]:
    """Return the samples with `--extra-body` applied: it overrides rows, flags and backend defaults.

    null omits a field. Raises UsageError for prompt, messages and model, which it cannot set.
    """
    extra = dict(target.extra_body)
    check(extra)
    if target.n > 1:
        extra["n"] = target.n
    if target.response_format is not None:
        extra["response_format"] = target.response_format
    return [_merged(sample, extra) for sample in samples] if extra else samples


def check(extra: Mapping[str, object]) -> None:
    """Raise UsageError for fields that other flags set."""
    for key in extra.keys() & _RESERVED.keys():
        raise UsageError(f"--extra-body: {key} comes from {_RESERVED[key]}; drop it")
    if "n" in extra:
        raise UsageError("--extra-body: n cannot be set here; use --n")


def _merged(sample: Sample, extra: Mapping[str, object]) -> Sample:
    """Set steps and frames as attributes of the sample, so that warm-ups and the SLO model see them."""
    own: dict[str, Any] = {key: extra[key] for key in _COUNTED if key in extra and _is_count(extra[key])}
    rest = {key: value for key, value in extra.items() if key not in own}
    kept = {key: value for key, value in sample.extra.items() if key not in own}
    return replace(sample, extra={**kept, **rest}, **own)


def _is_count(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0)
