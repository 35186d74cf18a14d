"""The search loop: tests one rate after another, each until it is decided, within a time limit."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from loadgen.search.bracket import MAX_RATES, Bracket, RateTest, bracket, next_rate
from loadgen.search.decision import LOOKS, Decision, decide, runs_to_fail
from loadgen.search.measurement import Measurement

UNITS: Final = 32  # of time in the time limit
RUN_UNITS: Final = (1, 1, 1, 2, 3)  # length of the runs at one rate, in units: one run for each look
MIN_REQUESTS: Final = 20  # in a run
_MAX_INVALID: Final = 2  # INVALID runs at one rate, after which it stays undecided
_MIN_UNIT: Final = 2.0  # a unit is at least so many times the overhead of a run

Measure = Callable[[float, int, int], Measurement]  # rate, requests, number of the run
Clock = Callable[[], float]  # seconds


@dataclass(frozen=True, slots=True)
class SearchGoal:
    """What to find: the highest rate (requests/s) with an attainment of `target` or more.

    `confidence` is that of the whole bracket, `time_limit_s` the time limit in seconds, `precision` the ratio of
    neighbouring rates at which the search ends. `capacity` is a rough maximum of the server (requests/s), None if it
    was not measured.
    """

    target: float
    time_limit_s: float
    confidence: float = 0.95
    precision: float = 1.1
    capacity: float | None = None

    @property
    def error(self) -> float:
        """Probability of a wrong decision on one rate: an equal part of 1 - confidence."""
        return (1 - self.confidence) / MAX_RATES


@dataclass(slots=True)
class SearchLoop:
    """A search in progress: `tested` are the rates so far, `ended` says why it stopped, `notify` hears of each rate."""

    goal: SearchGoal
    measure: Measure
    clock: Clock
    notify: Callable[[RateTest], None] = lambda _: None
    tested: list[RateTest] = field(default_factory=list)
    ended: str = "time_limit"
    runs: int = 0
    _overhead_s: float = 0.0  # the least time that a run took beyond its arrivals

    @property
    def bracket(self) -> Bracket:
        """The bracket so far."""
        return bracket(self.tested)

    def run(self, start_rate: float) -> Bracket:
        """Test rates from `start_rate` on, until the bracket is narrow enough or the time is up."""
        deadline = self.clock() + self.goal.time_limit_s
        rate: float | None = start_rate
        while rate is not None:
            if not self._test(rate, deadline):
                return self.bracket
            rate = next_rate(self.tested, self.goal.precision)
        self.ended = "rates" if len(self.tested) >= MAX_RATES else "precision"
        return self.bracket

    def _test(self, rate: float, deadline: float) -> bool:
        """Test a rate; return whether there was time for a run. An interrupted test keeps its finished runs.

        While no rate was shown to fail, a rate gets only as many looks as that takes: higher rates need fewer.
        """
        looks = LOOKS if self.bracket.fails else runs_to_fail(self.goal.target, self.goal.error)
        measurements: list[Measurement] = []
        decision = Decision.OPEN
        try:
            while decision is Decision.OPEN and (units := _next_units(measurements, looks)):
                count = self._count(rate, units, deadline)
                if not count:
                    break
                measurements.append(self._measure(rate, count))
                decision = decide(measurements, self.goal.target, self.goal.error)
        finally:
            if measurements:
                self.tested.append(_tested(rate, measurements, decision))
                self.notify(self.tested[-1])
        return bool(measurements)

    def _measure(self, rate: float, count: int) -> Measurement:
        began_s = self.clock()
        measurement = self.measure(rate, count, self.runs)
        overhead_s = self.clock() - began_s - count / rate
        self._overhead_s = overhead_s if self.runs == 0 else min(overhead_s, self._overhead_s)
        self.runs += 1
        return measurement

    def _count(self, rate: float, units: int, deadline: float) -> int:
        """Requests of the next run: as planned, or as many as the remaining time allows; 0 if that is too few.

        A run lasts as long as its arrivals, or as the server takes for them, plus the overhead to start and end it.
        """
        throughput = min(rate, self.goal.capacity or rate)
        unit_s = max(self.goal.time_limit_s / UNITS, _MIN_UNIT * self._overhead_s)
        count = max(MIN_REQUESTS, round(rate * unit_s * units))
        fitting = int((deadline - self.clock() - self._overhead_s) * throughput)
        return min(count, fitting) if fitting >= max(MIN_REQUESTS, rate * unit_s / 2) else 0


def _next_units(measurements: list[Measurement], looks: int) -> int:
    """Length of the next run at a rate, in units; 0 if there is none: no looks left, or runs that are not VALID."""
    valid = sum(measurement.state == "VALID" for measurement in measurements)
    invalid = len(measurements) - valid
    if any(measurement.state == "CAPPED" for measurement in measurements) or invalid >= _MAX_INVALID or valid >= looks:
        return 0
    return RUN_UNITS[valid]


def _tested(rate: float, measurements: list[Measurement], decision: Decision) -> RateTest:
    """A CAPPED run leaves the rate undecided whatever the others show: only those with short queues are VALID."""
    capped = any(measurement.state == "CAPPED" for measurement in measurements)
    valid = [measurement for measurement in measurements if measurement.state == "VALID"]
    return RateTest(
        rate,
        Decision.OPEN if capped else decision,
        capped,
        sum(len(measurement.met) for measurement in valid),
        sum(int(measurement.met.sum()) for measurement in valid),
        tuple(measurement.state for measurement in measurements),
        sum(measurement.sent for measurement in measurements),
        sum((Counter(measurement.request_errors) for measurement in measurements), Counter[str]()),
    )
