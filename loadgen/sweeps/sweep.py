"""A sweep: one benchmark at one rate after another, in a folder from which it can be continued."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypedDict

from collector.report.saved_report import damage_reported
from collector.saved.run_folder import read_run
from collector.summary.result import LAYOUT
from collector.sweeps.knee import Knee, knee
from collector.sweeps.point import Point, point_of
from collector.text import quantity
from loadgen.errors import ProcessError, UsageError, WarmupError
from loadgen.options import BenchOptions
from loadgen.planning.remarks import of_options
from loadgen.runs.run import CompletedRun, Notify
from loadgen.runs.run_metadata import config, environment
from loadgen.sweeps.capacity_estimate import capacity
from loadgen.sweeps.runner import Runner, run_at_rate_with, with_placeholder_rate
from loadgen.sweeps.slo_check import with_own_targets
from loadgen.sweeps.sweep_folder import SweepDir, read_rates
from loadgen.system.temporary_folder import temporary_folder

COOL_DOWN_S: Final = 1.0
_FACTORS: Final = tuple(0.15 * 8 ** (step / 6) for step in range(7))  # of the capacity: 0.15 to 1.2


class SweepResult(TypedDict):
    """The result of a sweep, as in sweep.json; docs/search.md describes it. Rates in requests/s, ascending."""

    layout: int
    rates: list[float]
    points: list[Point]
    knee: Knee
    slo: Mapping[str, Any] | None
    latency_from: str
    confidence: float
    remarks: list[str]
    config: Mapping[str, Any]
    environment: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CompletedSweep:
    """A completed sweep: its result (the JSON), without the remaining points if it was `interrupted`.

    `died` names processes of this tool that died, and `warmup_error` says why all warm-ups of a rate failed; either
    ends a sweep too.
    """

    result: SweepResult
    interrupted: bool = False
    died: tuple[str, ...] = ()
    warmup_error: str = ""


def sweep(
    options: BenchOptions,
    rates: Sequence[float] = (),
    *,
    sweep_dir: str | Path | None = None,
    cool_down_s: float = COOL_DOWN_S,
    notify: Notify = lambda _: None,
) -> CompletedSweep:
    """Run `options` at each of two or more `rates` (requests/s); none: seven rates around the capacity.

    `options` set no rate. Runs are saved in `sweep_dir`, where a sweep with the same options continues; `cool_down_s`
    is the pause between them, in seconds. Raises UsageError for options that cannot work, and whatever `run` raises.
    """
    options, rates = with_placeholder_rate(options), _checked(rates)
    with open_sweep_dir(sweep_dir, {**config(options), "simulate": None}) as folder:
        runner = Runner(options, run_at_rate_with(notify), cool_down_s, folder.slo)
        return run_all_rates(runner, folder, rates, notify)


@contextmanager
def open_sweep_dir(folder: str | Path | None, config: Mapping[str, Any]) -> Iterator[SweepDir]:
    """Open the folder of a sweep; None makes a temporary one."""
    with ExitStack() as stack:
        path = stack.enter_context(temporary_folder("loadgen-sweep-")) if folder is None else Path(folder)
        yield stack.enter_context(closing(SweepDir(path, config)))


def run_all_rates(runner: Runner, folder: SweepDir, requested: Sequence[float], notify: Notify) -> CompletedSweep:
    """Run those of the `requested` rates (none: automatic ones) that are not finished; keep sweep.json up to date."""
    runner.options = with_own_targets(runner.options)
    if not runner.options.slo.enabled:
        notify("no request has an SLO target, so there will be no attainment; give --slo-ms or --slo for it")
    rates = read_rates(folder.saved, requested or (() if folder.saved else choose_rates(runner, notify)))
    points: list[Point] = []
    host = environment()
    folder.write(_result(runner, folder, rates, points, host))
    for rate in rates:
        try:
            point = _point(folder, runner, rate, notify)
        except WarmupError as error:
            if not points:
                raise
            result = _result(runner, folder, rates, points, host)
            return CompletedSweep(result, warmup_error=f"{quantity.rate(rate)}: {error}")
        if isinstance(point, CompletedRun):
            return CompletedSweep(_result(runner, folder, rates, points, host), point.interrupted, point.died)
        points.append(point)
        folder.write(_result(runner, folder, rates, points, host))
        if runner.interrupted:
            return CompletedSweep(_result(runner, folder, rates, points, host), interrupted=True)
    return CompletedSweep(_result(runner, folder, rates, points, host))


def choose_rates(runner: Runner, notify: Notify) -> tuple[float, ...]:
    """Choose seven rates around the capacity, each 1.41 times the one before."""
    notify("--rates auto: estimating the server's capacity in a closed loop")
    about = capacity(runner)
    notify(f"capacity: about {about:.3g}/s; rates from {_FACTORS[0] * about:.3g} to {_FACTORS[-1] * about:.3g}/s")
    return tuple(float(f"{about * factor:.3g}") for factor in _FACTORS)


def _checked(rates: Sequence[float]) -> tuple[float, ...]:
    distinct = tuple(sorted({float(f"{rate:.6g}") for rate in rates}))
    if rates and not (len(distinct) > 1 and all(0 < rate <= 1e9 for rate in distinct)):
        raise UsageError("rates: give two or more, above 0 and up to a billion requests/s, or none for automatic ones")
    return distinct


def _result(
    runner: Runner, folder: SweepDir, rates: list[float], points: list[Point], host: Mapping[str, Any]
) -> SweepResult:
    return SweepResult(
        layout=LAYOUT,
        rates=rates,
        points=list(points),
        knee=knee(points),
        slo=runner.slo,
        latency_from=runner.options.latency_from,
        confidence=runner.options.confidence,
        remarks=of_options(runner.options),
        config=folder.config,
        environment=host,
    )


def _point(folder: SweepDir, runner: Runner, rate: float, notify: Notify) -> Point | CompletedRun:
    """Return the point of a rate, from an earlier run or a new one; an incomplete new run is returned itself."""
    if (saved := folder.finished(rate)) is not None:
        notify(f"{rate:g}/s: already finished")
        with damage_reported(saved.folder):
            return point_of(saved, rate)
    notify(f"{rate:g}/s")
    try:
        completed = runner.run(rate, folder.run_folder(rate))
    except ProcessError:
        folder.set_aside(rate)  # else the next sweep could take it for a complete run
        raise
    if completed.interrupted or completed.died:
        return completed
    return point_of(read_run(folder.run_folder(rate)), rate)
