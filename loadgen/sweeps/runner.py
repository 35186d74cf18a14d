"""The stand: one workload against one server, at one rate after another."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from loadgen.errors import ProcessError, UsageError
from loadgen.options import BenchOptions, SloOptions
from loadgen.planning.plan import Plan, build_plan
from loadgen.runs.run import CompletedRun, Tell, run

RunAtRate = Callable[[Plan, BenchOptions, Path | None], CompletedRun]
_MODELLED: Final = ("linear", "affine")
_TARGETS: Final = ("model", "unit_ms", "fixed_ms", "flat_ms", "fit", "warnings")  # keys of a result's slo


def without_rate(options: BenchOptions) -> BenchOptions:
    """Check that options leave it to others which rates are run; UsageError names what does not."""
    arrivals = options.arrivals
    if math.isfinite(arrivals.rate) or arrivals.rate_series or arrivals.process == "trace":
        raise UsageError("arrivals: the rates are chosen here; leave rate and rate_series out, and process no trace")
    if options.traffic.save_dir is not None:
        raise UsageError("save_dir is for one run; leave it out")
    return replace(options, arrivals=replace(arrivals, rate=1.0))  # which stands for those to come


def run_at_rate_with(tell: Tell) -> RunAtRate:
    """Runs that say by `tell` what takes its time."""
    return lambda plan, options, folder: run(plan, options, tell=tell, run_dir=folder)


@dataclass(slots=True)
class Runner:
    """Makes runs; before each but the first it lets the server cool down for `cool_down_s`.

    A run ends when nothing is in flight any more, and the next one begins with its own warm-ups. Targets that come from
    warm-ups are those of the first run (or `slo` of an earlier one): a target that moves cannot be compared.
    A run that could not be saved whole is a ProcessError.
    """

    options: BenchOptions
    run_at_rate: RunAtRate
    cool_down_s: float = 0.0
    slo: Mapping[str, Any] | None = None
    _used: bool = field(default=False)

    def run(self, rate: float, folder: Path | None, number: int = 0, count: int | None = None) -> CompletedRun:
        """Run at `rate` (requests/s), `count` requests or as many as the options say; `number` varies the draws."""
        options = self.options
        arrivals = replace(options.arrivals, rate=rate, seed=options.arrivals.seed + number)
        data = replace(options.data, random_request_seed=options.data.random_request_seed + number)
        if count is not None:
            data = replace(data, num_prompts=count)
        return self._measured(replace(options, arrivals=arrivals, data=data), folder)

    def closed(self, concurrency: int, count: int) -> CompletedRun:
        """Run `count` requests in a closed loop, with so many in flight."""
        options = self.options
        return self._measured(
            replace(
                options,
                arrivals=replace(options.arrivals, process="constant", rate=math.inf, duration_s=None),
                data=replace(options.data, num_prompts=count),
                traffic=replace(options.traffic, max_concurrency=concurrency),
            ),
            None,
        )

    def _measured(self, options: BenchOptions, folder: Path | None) -> CompletedRun:
        if self._used:
            time.sleep(self.cool_down_s)
        self._used = True
        options = replace(options, slo=self._targets())
        plan = build_plan(options.data, options.arrivals, options.target, options.warmup)
        measured = self.run_at_rate(plan, options, folder)
        if measured.unwritten:
            raise ProcessError(f"{folder}: {measured.unwritten}; nothing can be concluded from it, so make room")
        if self.slo is None:
            found = measured.result["slo"]
            self.slo = {key: found[key] for key in _TARGETS if key in found}
        return measured

    def _targets(self) -> SloOptions:
        """The SLO as it was asked for, with what the first run found out."""
        asked, found = self.options.slo, self.slo
        if found is None or found.get("model") not in _MODELLED:
            return asked
        return replace(asked, unit_ms=found["unit_ms"], fixed_ms=found.get("fixed_ms", 0.0))
