"""A search from end to end: the probe, the hunt, and what is said of both, within a budget of time."""

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
from loadgen.errors import LoadgenError, UsageError
from loadgen.options import BenchOptions
from loadgen.runs.run import Tell
from loadgen.runs.run_metadata import config, environment
from loadgen.search.bound import least_requests
from loadgen.search.deadline import PUT_AWAY_S, Deadline
from loadgen.search.limits import COOL_DOWN_S, PRECISION, SearchLimits
from loadgen.search.measurement import Measurement, read_measurement
from loadgen.search.result import SearchResult, rate_result
from loadgen.search.search_loop import Look, Question, SearchLoop
from loadgen.sweeps.capacity_estimate import capacity
from loadgen.sweeps.runner import RunAtRate, Runner, run_at_rate_with, without_rate
from loadgen.system.temporary_folder import temporary_folder

START: Final = 0.5  # of what a closed loop gets through
Reach = Callable[[ExitStack], BenchOptions]  # sees that there is a server, and says where


def search(
    options: BenchOptions,
    min_attainment: float,
    budget_s: float,
    *,
    start_rate: float | None = None,
    precision: float = PRECISION,
    cool_down_s: float = COOL_DOWN_S,
    search_dir: str | Path | None = None,
    tell: Tell = lambda _: None,
) -> SearchResult:
    """Find the highest rate at which `min_attainment` (0.9: nine of ten) of the requests meet their target.

    `options` say no rate and no length; their confidence is that of the whole bracket. Takes `budget_s` seconds at
    most. `search_dir` is a new folder that keeps the runs. For the main thread. Raises UsageError for what cannot be,
    and what `run` raises before anything was found.
    """
    terms = SearchLimits(
        min_attainment, budget_s, time.monotonic(), options.confidence, precision, start_rate, cool_down_s
    )
    terms.check()
    checked = without_length(without_rate(options))
    with kept_in(search_dir) as folder:
        found = Search(terms, checked, run_at_rate_with(tell), folder, tell)
        found.go(lambda _: checked)
        return found.found({**config(checked), "simulate": None})


def without_length(options: BenchOptions) -> BenchOptions:
    """Check that options leave it to the budget how long runs are; UsageError where they do not."""
    if options.arrivals.duration_s is not None:
        raise UsageError("duration_s: how long runs are follows from the budget; leave it out")
    return replace(options, data=replace(options.data, num_prompts=1))


@contextmanager
def kept_in(place: str | Path | None) -> Iterator[Path]:
    """Make the new folder of a search; None is one that is gone afterwards."""
    if place is None:
        with temporary_folder("loadgen-search-") as folder:
            yield folder
        return
    try:
        Path(place).mkdir(parents=True, exist_ok=True)
        taken = any(Path(place).iterdir())
    except OSError as error:
        raise UsageError(f"--search-dir {place}: {error.strerror}; name a folder that can be made") from None
    if taken:
        raise UsageError(f"--search-dir {place}: is not empty, and nothing is overwritten; name a new folder")
    yield Path(place)


class Search:
    """One search; the last seconds of its budget are kept to put away what is under way."""

    def __init__(
        self, terms: SearchLimits, options: BenchOptions, run_at_rate: RunAtRate, folder: Path, tell: Tell
    ) -> None:
        self._terms, self._folder, self._tell = terms, folder, tell
        self._deadline_s = terms.begun_s + terms.budget_s - PUT_AWAY_S
        self._runner = Runner(options, run_at_rate, terms.cool_down_s)
        self._search_loop: SearchLoop | None = None
        self._capacity: float | None = None
        self._ended = "budget"

    def go(self, reach: Reach) -> None:
        """Search until the bracket is narrow, the time is over or somebody interrupts; what is known stays known."""
        try:
            with ExitStack() as stack, Deadline(self._deadline_s):
                self._runner.options = reach(stack)
                self._search(self._terms.start_rate or START * self._probe())
        except KeyboardInterrupt:
            self._ended = "interrupted"
        except (LoadgenError, RunError) as fault:
            if self._search_loop is None or not self._search_loop.looks:
                raise
            self._tell(str(fault))
            self._ended = "fault"

    def _probe(self) -> float:
        self._tell("how much the server gets through in a closed loop")
        self._capacity = capacity(self._runner)
        self._tell(f"about {self._capacity:.3g}/s")
        return self._capacity

    def _search(self, start: float) -> None:
        terms, left_s = self._terms, self._deadline_s - time.monotonic()
        question = Question(terms.min_attainment, left_s, terms.confidence, terms.precision, self._capacity)
        self._search_loop = SearchLoop(question, self._measure, time.monotonic, tell=self._said)
        self._search_loop.go(start)
        self._ended = self._search_loop.ended

    def _measure(self, rate: float, count: int, run: int) -> Measurement:
        place = self._folder / f"run-{run + 1:03}-rate-{rate:.6g}"
        measured = self._runner.run(rate, place, run, count)
        if measured.interrupted:
            raise KeyboardInterrupt
        if not run and not measured.result["slo"].get("requests"):
            raise UsageError("--min-attainment: no request has a target; give --slo, or --slo-ms")
        return read_measurement(read_run(place))

    def _said(self, look: Look) -> None:
        met = quantity.share(look.attainment)
        self._tell(f"{look.visit.rate:.4g}/s {look.visit.decision.value}: {met} of {look.requests} met their target")

    def found(self, shown: Mapping[str, Any]) -> SearchResult:
        """Say what was found; `shown` is the config without secrets."""
        terms, search_loop = self._terms, self._search_loop
        ends = search_loop.bracket if search_loop else None
        return SearchResult(
            layout=LAYOUT,
            bracket=[ends.holds, ends.fails] if ends else [None, None],
            min_attainment=terms.min_attainment,
            confidence=terms.confidence,
            precision=terms.precision,
            budget_s=terms.budget_s,
            took_s=time.monotonic() - terms.begun_s,
            ended=self._ended,
            capacity=self._capacity,
            needs_n=least_requests(terms.min_attainment, search_loop.question.error) if search_loop else None,
            looks=[rate_result(look) for look in search_loop.looks] if search_loop else [],
            slo=self._runner.slo,
            latency_from=self._runner.options.latency_from,
            config=shown,
            environment=environment(),
        )
