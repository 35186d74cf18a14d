"""Options of a search, and the check that a search with them can succeed."""

import threading
from dataclasses import dataclass
from typing import Final

from loadgen.errors import UsageError
from loadgen.search.decision import LOOKS, runs_to_fail
from loadgen.search.search_loop import SearchGoal

MIN_TIME_LIMIT_S: Final = 15.0
COOL_DOWN_S: Final = 0.2
PRECISION: Final = 1.1


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """Find the highest rate with an attainment of `min_attainment` within `time_limit_s` seconds.

    The time limit counts from `began_s` (time.monotonic). The search starts at `start_rate` (requests/s; None: half of
    the capacity) and ends once the bracket's ends are within a factor of `precision`.
    """

    min_attainment: float
    time_limit_s: float
    began_s: float
    confidence: float = 0.95
    precision: float = PRECISION
    start_rate: float | None = None
    cool_down_s: float = COOL_DOWN_S

    def check(self) -> None:
        """Raise UsageError if no search with these options can find anything."""
        if not 0.5 <= self.min_attainment <= 0.9999:
            raise UsageError(f"--min-attainment {self.min_attainment:g}: give a share from 0.5 to 0.9999")
        if self.time_limit_s < MIN_TIME_LIMIT_S:
            raise UsageError(
                f"--time-limit {self.time_limit_s:g}: give {MIN_TIME_LIMIT_S:g} s or more; a run takes 1 s to start"
            )
        error = SearchGoal(self.min_attainment, self.time_limit_s, self.confidence).error
        if runs_to_fail(self.min_attainment, error) > LOOKS:
            raise UsageError(
                f"--min-attainment {self.min_attainment:g}: too low for {LOOKS} runs to show that a rate fails, at"
                f" --confidence {self.confidence:g}; give 0.8 or more, or a lower --confidence"
            )
        if self.precision <= 1:
            raise UsageError(f"--precision {self.precision:g}: give a factor above 1, such as 1.1")
        if self.start_rate is not None and not 0 < self.start_rate <= 1e9:
            raise UsageError(f"--start-rate {self.start_rate:g}: give a rate above 0, up to a billion requests/s")
        if threading.current_thread() is not threading.main_thread():
            raise UsageError("a search enforces its time limit by a signal; call it from the main thread")
