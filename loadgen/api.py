"""What the commands do, for Python: a few functions and the options that they take.

Making load:

- `build_plan(data, arrivals, target, warmup)` decides everything that is random or costly and returns a `Plan`: for n
  requests, `arrivals_ns` int64[n] (ns from time zero), `entries` int32[n] and `slo_ms` float64[n] (ms, nan where there
  is no target).
- `run(plan, options)` carries it out in processes of its own and returns a `CompletedRun`; its `result` is the JSON of
  the report: seconds and MB, None where there is nothing to tell. `run_dir=folder` saves the run as it goes.
- `sweep(options, rates)` runs at one rate (requests/s) after another and returns a `CompletedSweep`; its `result` has
  a point for each rate and the knee.
- `search(options, min_attainment, budget_s)` returns the `bracket` of the highest rate (requests/s) at which so many of
  the requests meet their target, as a `SearchResult`.
- `simulated(options)` is a context manager that gives the base URL of a simulated server.

Looking at what was saved:

- `read_run(folder)` reads a run back, with its records as an array of `collector.records.record.RECORD` (ns).
- `report(folder, latency_from=..., slo_ms=..., confidence=...)` reports it again, as a `Report`: its `result`, its
  `page()` (HTML), its `percentiles({"99.5": 0.995})` (seconds) and its `export(form, place)` (csv, jsonl, parquet).
- `compare(a, b)` holds two runs or two sweeps against each other and returns a `MatchedRuns`, whose `comparisons` have
  differences in seconds, requests/s and shares of one; `gate(comparisons, 0.05)` says in words what became worse by
  more than 5 %, and whether the intervals support it.

Failures of requests are figures in a result. Input that cannot be used raises UsageError (InputError, DownloadError,
UnreachableError), or RunError for what was saved; WarmupError and ProcessError are faults while it goes on. In the main
thread Ctrl-C is a stop with a partial result; `search` works there only.
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
