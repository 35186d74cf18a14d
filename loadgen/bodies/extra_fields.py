"""Applies the extra request fields of `--extra-body` and of the flags with a field of their own to every sample."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from loadgen.datasets.sample import Sample
from loadgen.errors import UsageError
from loadgen.options import TargetOptions

_RESERVED: Final = {"prompt": "--dataset", "messages": "--dataset", "model": "--model"}
# fields that a flag sets, and the backends whose servers read them
FLAG_FIELDS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "bot_task": frozenset({"vllm-omni", "openai", "v1/images/edits"}),
        "return_stage_metrics": frozenset({"vllm-omni", "openai", "v1/images/edits", "v1/videos", "v1/videos/sync"}),
    }
)
_COUNTED: Final = ("num_frames", "num_inference_steps")  # warm-ups and the SLO model use these


def with_extra_fields(samples: Sequence[Sample], target: TargetOptions) -> Sequence[Sample]:
    """Return the samples with `--extra-body` applied: it overrides rows, flags and backend defaults.

    The fields of other flags give way to those of a row. null omits a field. Raises UsageError for prompt, messages and
    model, which it cannot set.
    """
    extra = dict(target.extra_body)
    check(extra)
    if target.n > 1:
        extra["n"] = target.n
    if target.response_format is not None:
        extra["response_format"] = target.response_format
    if flags := _flag_fields(target):
        samples = [replace(sample, extra={**flags, **sample.extra}) for sample in samples]
    return [_merged(sample, extra) for sample in samples] if extra else samples


def _flag_fields(target: TargetOptions) -> dict[str, object]:
    """The fields of --bot-task and --return-stage-metrics that the backend has."""
    given: dict[str, object] = {"bot_task": target.bot_task, "return_stage_metrics": target.return_stage_metrics}
    return {name: value for name, value in given.items() if value and target.backend in FLAG_FIELDS[name]}


def check(extra: Mapping[str, object]) -> None:
    """Raise UsageError for fields that other flags set."""
    for key in extra.keys() & _RESERVED.keys():
        raise UsageError(f"--extra-body: {key} comes from {_RESERVED[key]}; drop it")
    if "n" in extra:
        raise UsageError("--extra-body: n cannot be set here; use --num-outputs-per-prompt")


def _merged(sample: Sample, extra: Mapping[str, object]) -> Sample:
    """Set steps and frames as attributes of the sample, so that warm-ups and the SLO model see them."""
    own: dict[str, Any] = {key: extra[key] for key in _COUNTED if key in extra and _is_count(extra[key])}
    rest = {key: value for key, value in extra.items() if key not in own}
    kept = {key: value for key, value in sample.extra.items() if key not in own}
    return replace(sample, extra={**kept, **rest}, **own)


def _is_count(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0)
