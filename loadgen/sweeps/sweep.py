"""A sweep: one benchmark at one rate after another, in a folder from which it goes on where it stopped."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypedDict

from collector.report.saved_report import damage_reported
from collector.saved.run_folder import read_run
from collector.sweeps.knee import Knee, knee
from collector.sweeps.point import Point, point_of
from loadgen.errors import ProcessError, UsageError
from loadgen.options import BenchOptions
from loadgen.runs.run import CompletedRun, Tell
from loadgen.runs.run_metadata import config, environment
from loadgen.sweeps.capacity_estimate import capacity
from loadgen.sweeps.runner import Runner, run_at_rate_with, without_rate
from loadgen.sweeps.sweep_folder import SweepDir, read_rates
from loadgen.system.temporary_folder import temporary_folder

COOL_DOWN_S: Final = 1.0
FACTORS: Final = tuple(0.15 * 8 ** (step / 6) for step in range(7))  # of the capacity: 0.15 to 1.2


class SweepFigures(TypedDict):
    """What a sweep found, as sweep.json and docs/search.md have it: rates in requests/s, ascending."""

    rates: list[float]
    points: list[Point]
    knee: Knee
    slo: Mapping[str, Any] | None
    latency_from: str
    confidence: float
    config: Mapping[str, Any]
    environment: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CompletedSweep:
    """What a sweep leaves behind: its result (the JSON), which lacks points where it was `interrupted`.

    So it does where processes of ours `died`.
    """

    result: SweepFigures
    interrupted: bool = False
    died: tuple[str, ...] = ()


def sweep(
    options: BenchOptions,
    rates: Sequence[float] = (),
    *,
    sweep_dir: str | Path | None = None,
    cool_down_s: float = COOL_DOWN_S,
    tell: Tell = lambda _: None,
) -> CompletedSweep:
    """Run `options` at each of two or more `rates` (requests/s), or at seven that are chosen around the capacity.

    `options` say no rate. Runs are kept in `sweep_dir`, from which a sweep with the same options goes on; between two
    of them the server has `cool_down_s` seconds. Raises UsageError for what cannot be, and what `run` raises.
    """
    checked, asked = without_rate(options), _checked(rates)
    with kept_in(sweep_dir, {**config(checked), "simulate": None}) as folder:
        runner = Runner(checked, run_at_rate_with(tell), cool_down_s, folder.slo)
        return run_all_rates(runner, folder, asked, tell)


@contextmanager
def kept_in(place: str | Path | None, config: Mapping[str, Any]) -> Iterator[SweepDir]:
    """Open the folder of a sweep; None is one that is gone afterwards."""
    with ExitStack() as stack:
        folder = SweepDir(
            stack.enter_context(temporary_folder("loadgen-sweep-")) if place is None else Path(place), config
        )
        stack.callback(folder.close)
        yield folder


def run_all_rates(runner: Runner, folder: SweepDir, asked: Sequence[float], tell: Tell) -> CompletedSweep:
    """Run what is still to be run of the `asked` rates (none: automatic ones), keeping sweep.json up to date."""
    rates = read_rates(folder.saved, asked or (() if folder.saved else automatic(runner, tell)))
    points: list[Point] = []
    about = environment()
    folder.write(_figures(runner, folder, rates, points, about))
    for rate in rates:
        point = _point(folder, runner, rate, tell)
        if isinstance(point, CompletedRun):
            return CompletedSweep(_figures(runner, folder, rates, points, about), point.interrupted, point.died)
        points.append(point)
        folder.write(_figures(runner, folder, rates, points, about))
    return CompletedSweep(_figures(runner, folder, rates, points, about))


def automatic(runner: Runner, tell: Tell) -> tuple[float, ...]:
    """Choose rates, each 1.41 times the one before, around what the server does in a closed loop."""
    tell("--rates auto: how much the server gets through in a closed loop")
    most = capacity(runner)
    tell(f"about {most:.3g}/s: rates from {FACTORS[0] * most:.3g} to {FACTORS[-1] * most:.3g}/s")
    return tuple(float(f"{most * factor:.3g}") for factor in FACTORS)


def _checked(rates: Sequence[float]) -> tuple[float, ...]:
    found = tuple(sorted({float(f"{rate:.6g}") for rate in rates}))
    if rates and not (len(found) > 1 and all(0 < rate <= 1e9 for rate in found)):
        raise UsageError("rates: two or more, above 0 and a billion at most; none for automatic ones")
    return found


def _figures(
    runner: Runner, folder: SweepDir, rates: list[float], points: list[Point], about: Mapping[str, Any]
) -> SweepFigures:
    return SweepFigures(
        rates=rates,
        points=list(points),
        knee=knee(points),
        slo=runner.slo,
        latency_from=runner.options.latency_from,
        confidence=runner.options.confidence,
        config=folder.config,
        environment=about,
    )


def _point(folder: SweepDir, runner: Runner, rate: float, tell: Tell) -> Point | CompletedRun:
    """The point of a rate, from a run that was finished before or made now; a run that did not come to its end."""
    if (saved := folder.finished(rate)) is not None:
        tell(f"{rate:g}/s: finished before")
        with damage_reported(saved.folder):
            return point_of(saved, rate)
    tell(f"{rate:g}/s")
    try:
        measured = runner.run(rate, folder.run_folder(rate))
    except ProcessError:
        folder.put_aside(rate)  # else one that is not whole might pass for it the next time
        raise
    if measured.interrupted or measured.died:
        return measured
    return point_of(read_run(folder.run_folder(rate)), rate)
