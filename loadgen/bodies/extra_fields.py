"""The overlay: what `--extra-body` and `--n` put over every sample, before it is encoded."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from loadgen.datasets.sample import Sample
from loadgen.errors import UsageError
from loadgen.options import TargetOptions

_OURS: Final = {"prompt": "--dataset", "messages": "--dataset", "model": "--model"}
_COUNTED: Final = ("num_frames", "num_inference_steps")  # work that warm-ups and the SLO have to know of


def overlaid(samples: Sequence[Sample], target: TargetOptions) -> Sequence[Sample]:
    """Return the samples with `--extra-body` over them: it wins over what a row, a flag or an endpoint says.

    null leaves a field out. What the server is asked (prompt, messages, model) is not for it to say: UsageError.
    """
    extra = dict(target.extra_body)
    check(extra)
    if target.n > 1:
        extra["n"] = target.n
    return [_overlaid(sample, extra) for sample in samples] if extra else samples


def check(extra: Mapping[str, object]) -> None:
    """Raise UsageError for fields that have a place of their own."""
    for key in extra.keys() & _OURS.keys():
        raise UsageError(f"--extra-body: {key} comes from {_OURS[key]}; drop it")
    if "n" in extra:
        raise UsageError("--extra-body: n has a flag of its own; give --n")


def _overlaid(sample: Sample, extra: Mapping[str, object]) -> Sample:
    """Steps and frames become the sample's own, so that warm-ups can lower them and the SLO counts them."""
    own: dict[str, Any] = {key: extra[key] for key in _COUNTED if key in extra and _is_count(extra[key])}
    rest = {key: value for key, value in extra.items() if key not in own}
    kept = {key: value for key, value in sample.extra.items() if key not in own}
    return replace(sample, extra={**kept, **rest}, **own)


def _is_count(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0)
