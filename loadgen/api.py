"""The Python interface: what the commands do, as functions, and their options.

Sending load:

- `build_plan(data, arrivals, target, warmup)` does everything random or costly and returns a `Plan`: for n requests,
  `arrivals_ns` int64[n] (ns from time zero), `entries` int32[n] and `slo_ms` float64[n] (ms, nan without a target).
- `run(plan, options)` sends it from processes of its own and returns a `CompletedRun`; its `result` is the JSON of the
  report (seconds and MB, None for figures that are undefined). `run_dir=folder` saves the run.
- `sweep(options, rates)` runs at one rate (requests/s) after another and returns a `CompletedSweep`; its `result` has
  a point for each rate and the knee.
- `search(options, min_attainment, time_limit_s)` searches the highest rate (requests/s) at which this share of the
  requests meets its target, within `time_limit_s` seconds, and returns its `bracket` in a `SearchResult`.
- `simulated(options)` is a context manager that yields the base URL of a simulated server.

Saved runs:

- `read_run(folder)` reads a run, with its records as an array of `collector.records.record.RECORD` (ns).
- `report(folder, latency_from=..., slo_ms=..., confidence=...)` computes its figures again, as a `Report`: `result`,
  `page()` (HTML), `percentiles({"99.5": 0.995})` (seconds) and `export(form, place)` (csv, jsonl, parquet).
- `compare(a, b)` compares two runs or two sweeps and returns `MatchedRuns`, whose `comparisons` have differences in
  seconds, requests/s and shares; `gate(comparisons, 0.05)` lists as text what became worse by more than 5 %, and
  whether the intervals support it.

Failed requests are figures in a result. Unusable input raises UsageError (InputError, DownloadError, UnreachableError),
or RunError for saved runs; WarmupError and ProcessError are faults during a run. In the main thread Ctrl-C stops a run
with a partial result; `search` works only there.
"""

from collector.comparison.compare import Comparison
from collector.comparison.run_matching import MatchedRuns, compare
from collector.errors import RunError
from collector.report.saved_report import Report, report
from collector.report.terminal.comparison import gate
from collector.saved.run_folder import SavedRun, read_run
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
from loadgen.planning.plan import Plan, build_plan
from loadgen.processes.simulated_server import simulated
from loadgen.runs.run import CompletedRun, run
from loadgen.search.result import SearchResult
from loadgen.search.search import search
from loadgen.simulator.engine.options import SimulatorOptions
from loadgen.sweeps.sweep import CompletedSweep, sweep

__all__ = [
    "ArrivalOptions",
    "BenchOptions",
    "Comparison",
    "CompletedRun",
    "CompletedSweep",
    "DataOptions",
    "JobOptions",
    "LoadgenError",
    "MatchedRuns",
    "Plan",
    "Report",
    "RunError",
    "SavedRun",
    "SearchResult",
    "Shape",
    "SimulatorOptions",
    "SloOptions",
    "TargetOptions",
    "TrafficOptions",
    "WarmupOptions",
    "build_plan",
    "compare",
    "gate",
    "read_run",
    "report",
    "run",
    "search",
    "simulated",
    "sweep",
]
