"""SLO targets: the milliseconds that each request may take, from its sample, --slo-ms, or a model of the warm-ups."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.statistics import latency_model
from collector.summary import slo as work
from loadgen.errors import UsageError, WarmupError
from loadgen.options import SloOptions
from loadgen.planning.plan import Plan
from loadgen.runs.warmups import Warmup

LARGE_RESIDUAL: Final = 0.25  # of the prediction
MAX_EXTRAPOLATION: Final = 2.0  # times the work of the largest warm-up


@dataclass(frozen=True, slots=True)
class Targets:
    """`slo_ms` float64[n], nan where there is none; `about` describes their origin, as JSON."""

    slo_ms: NDArray[np.float64]
    about: Mapping[str, Any]


def check(plan: Plan, options: SloOptions) -> None:
    """Raise UsageError if targets need warm-ups, and there are none or too few distinct sizes."""
    if not _needs_warmups(plan, options):
        return
    if not plan.warmups:
        missing = int(np.isnan(plan.slo_ms).sum())
        raise UsageError(
            f"--warmup-requests 0: {missing} of {len(plan)} requests have no slo_ms of their own, so --slo needs"
            " warm-ups; give --warmup-requests 1 or more, or --slo-ms"
        )
    sizes = len(np.unique(_units(plan.shapes[list(plan.warmups)])))
    if options.model == "affine" and sizes < latency_model.MIN_SIZES:
        raise UsageError(
            f"--slo-model affine: {len(plan.warmups)} warm-ups of {sizes} distinct sizes, and it needs"
            f" {latency_model.MIN_SIZES} sizes or more; give more --warmup-requests, a workload of more sizes (width x"
            " height x frames x steps), or --slo-model linear"
        )


def targets(plan: Plan, warmups: list[Warmup], options: SloOptions) -> Targets:
    """Return the target of each request; WarmupError if warm-ups are needed and too few succeeded."""
    own = plan.slo_ms
    if not options.enabled:
        return Targets(own, {})
    if options.flat_ms is not None:
        return Targets(np.where(np.isnan(own), options.flat_ms, own), {"model": "flat", "flat_ms": options.flat_ms})
    if not _needs_warmups(plan, options):
        return Targets(own, {"model": "own"})
    if options.unit_ms is not None:
        return _earlier(plan, options.unit_ms, options)
    succeeded = [warmup for warmup in warmups if warmup.error is None]
    if not succeeded:
        last = warmups[-1]
        raise WarmupError(
            f"no warm-up succeeded, so --slo has no targets (last error: {last.error}: {last.detail}); check the server"
        )
    return _affine(plan, succeeded, options) if options.model == "affine" else _linear(plan, succeeded, options)


def _earlier(plan: Plan, unit_ms: float, options: SloOptions) -> Targets:
    """Targets from the model of an earlier run; a linear one has no fixed cost."""
    predicted_ms = options.fixed_ms + unit_ms * _planned(plan)
    slo_ms = np.where(np.isnan(plan.slo_ms), predicted_ms * options.scale, plan.slo_ms)
    about = {"model": options.model, "fixed_ms": options.fixed_ms, "unit_ms": unit_ms, "from": "an earlier run"}
    return Targets(slo_ms, about)


def _linear(plan: Plan, succeeded: list[Warmup], options: SloOptions) -> Targets:
    unit_ms = work.linear_unit_ms([warmup.latency_ms for warmup in succeeded], _warmed(succeeded))
    assert unit_ms is not None
    slo_ms = work.linear_slo_ms(plan.slo_ms, _planned(plan), unit_ms, options.scale)
    return Targets(slo_ms, {"model": "linear", "unit_ms": unit_ms})


def _affine(plan: Plan, succeeded: list[Warmup], options: SloOptions) -> Targets:
    units, latency_ms = _warmed(succeeded), np.array([warmup.latency_ms for warmup in succeeded])
    if (sizes := len(np.unique(units))) < latency_model.MIN_SIZES:
        raise WarmupError(
            f"--slo-model affine needs {latency_model.MIN_SIZES} distinct sizes, and only {sizes}"
            " succeeded; check the server, or give more --warmup-requests"
        )
    model, planned = latency_model.fit(latency_ms, units), _planned(plan)
    predicted_ms = model.latency_ms(units)
    fits = [
        {"units": float(u), "latency_ms": float(y), "predicted_ms": float(f), "residual_ms": float(y - f)}
        for u, y, f in zip(units, latency_ms, predicted_ms, strict=True)
    ]
    worst_residual = float(np.max(np.abs(latency_ms - predicted_ms) / predicted_ms))
    extrapolation = float(planned.max() / units.max())
    about = {"model": "affine", "fixed_ms": model.fixed_ms, "unit_ms": model.unit_ms, "fit": fits}
    slo_ms = np.where(np.isnan(plan.slo_ms), model.latency_ms(planned) * options.scale, plan.slo_ms)
    return Targets(slo_ms, {**about, "warnings": _warnings(worst_residual, extrapolation)})


def _warnings(worst_residual: float, extrapolation: float) -> list[str]:
    warnings = []
    if worst_residual > LARGE_RESIDUAL:
        warnings.append(
            f"A warm-up differs by {worst_residual:.0%} from the prediction of the affine model, so targets are rough:"
            " give more --warmup-requests, or --slo-ms."
        )
    if extrapolation > MAX_EXTRAPOLATION:
        warnings.append(
            f"The largest request has {extrapolation:.3g} times the work of the largest warm-up, so its target is an"
            " extrapolation: leave --warmup-num-inference-steps and --warmup-num-frames out."
        )
    return warnings


def _needs_warmups(plan: Plan, options: SloOptions) -> bool:
    return options.enabled and options.flat_ms is None and bool(np.isnan(plan.slo_ms).any())


def _units(shapes: NDArray[np.int32]) -> NDArray[np.float64]:
    return work.units(*shapes.T)


def _warmed(succeeded: list[Warmup]) -> NDArray[np.float64]:
    return _units(np.array([warmup.shape for warmup in succeeded], np.int32))


def _planned(plan: Plan) -> NDArray[np.float64]:
    return _units(plan.shapes[plan.entries])
