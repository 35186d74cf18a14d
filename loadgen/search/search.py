"""A search from start to end: the capacity estimate, the search loop and the result, within a time limit."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from collector.errors import RunError
from collector.saved.run_folder import read_run
from collector.summary.result import LAYOUT
from collector.text import quantity
from loadgen.errors import LoadgenError, UsageError, WarmupError
from loadgen.options import BenchOptions
from loadgen.planning.remarks import of_options
from loadgen.runs.run import Notify
from loadgen.runs.run_metadata import config, environment
from loadgen.search.bracket import RateTest
from loadgen.search.deadline import SHUTDOWN_S, Deadline
from loadgen.search.decision import least_requests
from loadgen.search.measurement import Measurement, read_measurement
from loadgen.search.options import COOL_DOWN_S, PRECISION, SearchOptions
from loadgen.search.result import SearchResult, rate_result
from loadgen.search.search_loop import SearchGoal, SearchLoop
from loadgen.sweeps.capacity_estimate import capacity
from loadgen.sweeps.runner import RunAtRate, Runner, run_at_rate_with, with_placeholder_rate
from loadgen.sweeps.slo_check import WITHOUT_TARGETS, with_own_targets
from loadgen.system.temporary_folder import temporary_folder

START: Final = 0.5  # of the capacity
NO_TARGETS: Final = "--min-attainment: no request has an SLO target; give --slo-ms MS, or --slo (from warm-ups)"
ReachServer = Callable[[ExitStack], BenchOptions]  # waits for the server and returns options with its URL


def search(
    options: BenchOptions,
    min_attainment: float,
    time_limit_s: float,
    *,
    start_rate: float | None = None,
    precision: float = PRECISION,
    cool_down_s: float = COOL_DOWN_S,
    search_dir: str | Path | None = None,
    notify: Notify = lambda _: None,
) -> SearchResult:
    """Find the highest rate at which a share of `min_attainment` (0.9: nine of ten) of the requests meet their target.

    `options` set neither a rate nor a length; their confidence is that of the whole bracket. The search takes at most
    `time_limit_s` seconds. `search_dir` is a new folder that keeps the runs. Call it from the main thread. Raises
    UsageError for options that cannot work, and whatever `run` raises before the first rate is tested.
    """
    search_options = SearchOptions(
        min_attainment, time_limit_s, time.monotonic(), options.confidence, precision, start_rate, cool_down_s
    )
    search_options.check()
    check_targets(options)
    bench_options = with_placeholder_length(with_placeholder_rate(options))
    with open_search_dir(search_dir) as folder:
        searching = Search(search_options, bench_options, run_at_rate_with(notify), folder, notify)
        searching.run(lambda _: bench_options)
        return searching.result({**config(bench_options), "simulate": None})


def with_placeholder_length(options: BenchOptions) -> BenchOptions:
    """Return options with a placeholder for the length of runs; UsageError if they set one themselves."""
    if options.arrivals.duration_s is not None:
        raise UsageError("duration_s: a search chooses the length of its runs; leave it out")
    return replace(options, data=replace(options.data, num_prompts=1))


def check_targets(options: BenchOptions) -> None:
    """Raise UsageError if no request can have an SLO target, whatever its data set holds."""
    if not options.slo.enabled and options.data.dataset in WITHOUT_TARGETS:
        raise UsageError(NO_TARGETS)


def _judged(options: BenchOptions) -> BenchOptions:
    judged = with_own_targets(options)
    if not judged.slo.enabled:
        raise UsageError(NO_TARGETS)
    return judged


@contextmanager
def open_search_dir(folder: str | Path | None) -> Iterator[Path]:
    """Make the new folder of a search; None makes a temporary one. UsageError if it cannot be used."""
    if folder is None:
        with temporary_folder("loadgen-search-") as temporary:
            yield temporary
        return
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        taken = any(Path(folder).iterdir())
    except OSError as error:
        raise UsageError(f"--search-dir {folder}: {error.strerror}; name a folder that can be made") from None
    if taken:
        raise UsageError(f"--search-dir {folder}: is not empty, and nothing is overwritten; name a new folder")
    yield Path(folder)


class Search:
    """One search; it ends a few seconds before its time limit, to shut down what is still running."""

    def __init__(
        self, options: SearchOptions, bench_options: BenchOptions, run_at_rate: RunAtRate, folder: Path, notify: Notify
    ) -> None:
        self._options, self._folder, self._notify = options, folder, notify
        self._deadline_s = options.began_s + options.time_limit_s - SHUTDOWN_S
        self._runner = Runner(bench_options, run_at_rate, options.cool_down_s)
        self._search_loop: SearchLoop | None = None
        self._capacity: float | None = None
        self._ended = "time_limit"

    def run(self, reach_server: ReachServer) -> None:
        """Search until the bracket is narrow enough, the time is up or Ctrl-C; decided rates stay in the result."""
        try:
            with ExitStack() as stack, Deadline(self._deadline_s):
                self._runner.options = _judged(reach_server(stack))
                self._search(self._options.start_rate or START * self._estimate_capacity())
        except KeyboardInterrupt:
            self._ended = "interrupted"
        except (LoadgenError, RunError) as fault:
            if self._search_loop is None or not self._search_loop.tested:
                raise
            self._notify(str(fault))
            self._ended = "warmup" if isinstance(fault, WarmupError) else "fault"

    def _estimate_capacity(self) -> float:
        self._notify("estimating the server's capacity in a closed loop")
        self._capacity = capacity(self._runner)
        self._notify(f"capacity: about {self._capacity:.3g} requests/s")
        return self._capacity

    def _search(self, start_rate: float) -> None:
        options, remaining_s = self._options, self._deadline_s - time.monotonic()
        goal = SearchGoal(options.min_attainment, remaining_s, options.confidence, options.precision, self._capacity)
        self._search_loop = SearchLoop(goal, self._measure, time.monotonic, self._report)
        self._search_loop.run(start_rate)
        self._ended = self._search_loop.ended

    def _measure(self, rate: float, count: int, run: int) -> Measurement:
        if self._runner.interrupted:
            raise KeyboardInterrupt
        folder = self._folder / f"run-{run + 1:03}-rate-{rate:.6g}"
        completed = self._runner.run(rate, folder, run, count)
        if completed.interrupted:
            raise KeyboardInterrupt
        return read_measurement(read_run(folder))

    def _report(self, tested: RateTest) -> None:
        met = quantity.share(tested.attainment)
        self._notify(f"{tested.rate:.4g}/s {tested.decision.value}: {met} of {tested.requests} met their target")

    def result(self, shown_config: Mapping[str, Any]) -> SearchResult:
        """Return the result; `shown_config` is the config without secrets."""
        options, search_loop = self._options, self._search_loop
        ends = search_loop.bracket if search_loop else None
        return SearchResult(
            layout=LAYOUT,
            bracket=[ends.holds, ends.fails] if ends else [None, None],
            min_attainment=options.min_attainment,
            confidence=options.confidence,
            precision=options.precision,
            time_limit_s=options.time_limit_s,
            duration_s=time.monotonic() - options.began_s,
            ended=self._ended,
            capacity_estimate=self._capacity,
            needs_n=least_requests(options.min_attainment, search_loop.goal.error) if search_loop else None,
            tests=[rate_result(tested) for tested in search_loop.tested] if search_loop else [],
            slo=self._runner.slo,
            latency_from=self._runner.options.latency_from,
            remarks=of_options(self._runner.options),
            config=shown_config,
            environment=environment(),
        )
