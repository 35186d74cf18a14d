"""What the commands do, for Python: a few functions and the options that they take.

`build_plan(data, arrivals, target, warmup)` decides everything that is random or costly and returns a `Plan`: for n
requests, `arrivals_ns` int64[n] (ns from time zero), `entries` int32[n] and `slo_ms` float64[n] (ms, nan where there
is no target). Raises UsageError (InputError, DownloadError) for input that cannot be used.

`run(plan, options)` carries it out in processes of its own and returns a `Measured`; its `result` is the JSON of the
report: seconds and MB, None where there is nothing to tell. Failures of requests are figures in it; ProcessError,
WarmupError and UnreachableError are raised. Called in the main thread it takes Ctrl-C for a stop with a partial
result.

`simulated(options)` is a context manager that gives the base URL of a simulated server. `read_run(folder)` reads back
a run that was saved (`run(..., run_dir=folder)`), with its records as an array of `collector.record.RECORD`.
"""

from collector.saved import SavedRun, read_run
from loadgen.errors import LoadgenError
from loadgen.options import (
    ArrivalOptions,
    BenchOptions,
    DataOptions,
    JobOptions,
    Shape,
    SloOptions,
    TargetOptions,
    TrafficOptions,
    WarmupOptions,
)
from loadgen.plan import Plan, build_plan
from loadgen.run import Measured, run
from loadgen.simulated import simulated
from loadgen.simulator.options import SimulatorOptions

__all__ = [
    "ArrivalOptions",
    "BenchOptions",
    "DataOptions",
    "JobOptions",
    "LoadgenError",
    "Measured",
    "Plan",
    "SavedRun",
    "Shape",
    "SimulatorOptions",
    "SloOptions",
    "TargetOptions",
    "TrafficOptions",
    "WarmupOptions",
    "build_plan",
    "read_run",
    "run",
    "simulated",
]
