"""The terms of a search: what is asked, how long it may take, and whether that can lead to anything."""

import threading
from dataclasses import dataclass
from typing import Final

from loadgen.errors import UsageError
from loadgen.search.bound import LOOKS, runs_to_fail
from loadgen.search.search_loop import Question

SHORTEST_S: Final = 15.0
COOL_DOWN_S: Final = 0.2
PRECISION: Final = 1.1


@dataclass(frozen=True, slots=True)
class SearchLimits:
    """What is searched, and with what: the highest rate with an attainment of `min_attainment`, in `budget_s` seconds.

    The budget counts from `begun_s` (time.monotonic). The search begins at `start_rate` (requests/s; None: at half of
    the capacity) and ends where the ends of the bracket are within a factor of `precision`.
    """

    min_attainment: float
    budget_s: float
    begun_s: float
    confidence: float = 0.95
    precision: float = PRECISION
    start_rate: float | None = None
    cool_down_s: float = COOL_DOWN_S

    def check(self) -> None:
        """Raise UsageError where such a search could find nothing."""
        if not 0.5 <= self.min_attainment <= 0.9999:
            raise UsageError(f"--min-attainment {self.min_attainment:g}: is a share between 0.5 and 0.9999")
        if self.budget_s < SHORTEST_S:
            raise UsageError(f"--budget {self.budget_s:g}: {SHORTEST_S:g} s at least; each run takes a second to start")
        error = Question(self.min_attainment, self.budget_s, self.confidence).error
        if runs_to_fail(self.min_attainment, error) > LOOKS:
            raise UsageError(
                f"--min-attainment {self.min_attainment:g}: so low that {LOOKS} runs cannot show a rate to fail at"
                f" --confidence {self.confidence:g}; give 0.8 or more, or a lower --confidence"
            )
        if self.precision <= 1:
            raise UsageError(f"--precision {self.precision:g}: is a factor above 1, such as 1.1")
        if self.start_rate is not None and not 0 < self.start_rate <= 1e9:
            raise UsageError(f"--start-rate {self.start_rate:g}: is above 0, and a billion at most")
        if threading.current_thread() is not threading.main_thread():
            raise UsageError("a search keeps its budget by a signal, which only the main thread gets; call it there")
