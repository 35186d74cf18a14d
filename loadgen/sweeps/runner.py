"""The runner: makes run after run of one workload, each at its own rate."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from loadgen.errors import ProcessError, UsageError
from loadgen.options import BenchOptions, SloOptions
from loadgen.planning.plan import Plan, build_plan
from loadgen.runs.run import CompletedRun, Notify, run

RunAtRate = Callable[[Plan, BenchOptions, Path | None], CompletedRun]
_PREDICTING: Final = ("linear", "affine")
_SLO_KEYS: Final = ("model", "unit_ms", "fixed_ms", "flat_ms", "fit", "warnings")  # of a result's slo


def with_placeholder_rate(options: BenchOptions) -> BenchOptions:
    """Return options with a placeholder for the rate; UsageError if they set one themselves."""
    arrivals = options.arrivals
    if math.isfinite(arrivals.rate) or arrivals.rate_series or arrivals.process == "trace":
        raise UsageError(
            "arrivals: sweep and search choose the rates; leave rate and rate_series out, and do not use process trace"
        )
    if options.traffic.save_dir is not None:
        raise UsageError("save_dir is for a single run; leave it out")
    return replace(options, arrivals=replace(arrivals, rate=1.0))


def run_at_rate_with(notify: Notify) -> RunAtRate:
    """Return a function that makes a run and sends its status lines to `notify`."""
    return lambda plan, options, folder: run(plan, options, notify=notify, run_dir=folder)


@dataclass(slots=True)
class Runner:
    """Makes runs, with a pause of `cool_down_s` between them.

    A run ends once nothing is in flight, and the next one starts with its own warm-ups. SLO targets from warm-ups are
    those of the first run (or `slo` of an earlier one) throughout, so that all runs are compared with the same targets.
    A run ends only when its jobs have ended on the server, since they would slow down the next one; `interrupted` says
    that Ctrl-C ended that wait. A run that could not be saved completely raises ProcessError.
    """

    options: BenchOptions
    run_at_rate: RunAtRate
    cool_down_s: float = 0.0
    slo: Mapping[str, Any] | None = None
    interrupted: bool = False
    _has_run: bool = field(default=False)

    def run(self, rate: float, folder: Path | None, number: int = 0, count: int | None = None) -> CompletedRun:
        """Run `count` requests (None: as the options say) at `rate` (requests/s); `number` is added to the seeds."""
        options = self.options
        arrivals = replace(options.arrivals, rate=rate, seed=options.arrivals.seed + number)
        data = replace(options.data, random_request_seed=options.data.random_request_seed + number)
        if count is not None:
            data = replace(data, num_prompts=count)
        return self._run(replace(options, arrivals=arrivals, data=data), folder)

    def run_closed_loop(self, concurrency: int, count: int) -> CompletedRun:
        """Run `count` requests in a closed loop, `concurrency` at a time."""
        options = self.options
        return self._run(
            replace(
                options,
                arrivals=replace(options.arrivals, process="constant", rate=math.inf, duration_s=None),
                data=replace(options.data, num_prompts=count),
                traffic=replace(options.traffic, max_concurrency=concurrency),
            ),
            None,
        )

    def _run(self, options: BenchOptions, folder: Path | None) -> CompletedRun:
        if self._has_run:
            time.sleep(self.cool_down_s)
        self._has_run = True
        options = replace(options, slo=self._slo_options(), jobs=replace(options.jobs, wait_for_jobs=True))
        plan = build_plan(options.data, options.arrivals, options.target, options.warmup)
        completed = self.run_at_rate(plan, options, folder)
        self.interrupted = completed.wait_interrupted
        if completed.save_error:
            raise ProcessError(f"{folder}: {completed.save_error}; the saved run is incomplete, so free disk space")
        if self.slo is None:
            slo = completed.result["slo"]
            self.slo = {key: slo[key] for key in _SLO_KEYS if key in slo}
        return completed

    def _slo_options(self) -> SloOptions:
        """The SLO options, with the model of the first run."""
        slo = self.slo
        if slo is None or slo.get("model") not in _PREDICTING:
            return self.options.slo
        return replace(self.options.slo, unit_ms=slo["unit_ms"], fixed_ms=slo.get("fixed_ms", 0.0))
