"""The hunt: visits one rate after another, each until it is decided, within a budget of time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from loadgen.search.bound import LOOKS, Decision, decide, runs_to_fail
from loadgen.search.bracket import RATES, Bracket, Visit, bracket, next_rate
from loadgen.search.measurement import Measurement

UNITS: Final = 32  # of time in a budget
LENGTHS: Final = (1, 1, 1, 2, 3)  # of the runs at one rate, in units: one for each of its looks
_SPOILT: Final = 2  # runs at one rate that may come out INVALID before it is left open
_SHORTEST: Final = 2.0  # times what it takes to start a run: a unit is no shorter than that
LEAST: Final = 20  # requests in a run

Measure = Callable[[float, int, int], Measurement]  # rate, requests, number of the run
Clock = Callable[[], float]  # seconds


@dataclass(frozen=True, slots=True)
class Question:
    """What is searched: the highest rate (requests/s) with an attainment of `target` or more.

    `confidence` is that of the whole bracket, `budget_s` the most it may take, `precision` the ratio of neighbouring
    rates that ends it. `capacity` is about the most the server does (requests/s), None where nobody asked it.
    """

    target: float
    budget_s: float
    confidence: float = 0.95
    precision: float = 1.1
    capacity: float | None = None

    @property
    def error(self) -> float:
        """What one rate may spend: an equal part of 1 - confidence."""
        return (1 - self.confidence) / RATES


@dataclass(frozen=True, slots=True)
class Look:
    """A visit and what it rests on: requests in VALID runs, how many of them met the target, states of all runs."""

    visit: Visit
    requests: int
    met: int
    states: tuple[str, ...]

    @property
    def attainment(self) -> float | None:
        """Share of the requests that met the target; None where there was no VALID run."""
        return self.met / self.requests if self.requests else None


@dataclass(slots=True)
class SearchLoop:
    """A search under way: `looks` grows with each rate that was visited; `ended` says what ended it."""

    question: Question
    measure: Measure
    clock: Clock
    looks: list[Look] = field(default_factory=list)
    tell: Callable[[Look], None] = lambda _: None
    ended: str = "budget"
    runs: int = 0
    _overhead_s: float = 0.0  # the least that a run took beyond the time of its arrivals

    @property
    def bracket(self) -> Bracket:
        """What is known so far."""
        return bracket([look.visit for look in self.looks])

    def go(self, start: float) -> Bracket:
        """Visit rates from `start` on, until the bracket is narrow or the time is over."""
        deadline = self.clock() + self.question.budget_s
        rate: float | None = start
        while rate is not None:
            if not self._visit(rate, deadline):
                return self.bracket
            rate = next_rate([look.visit for look in self.looks], self.question.precision)
        self.ended = "rates" if len(self.looks) >= RATES else "precision"
        return self.bracket

    def _visit(self, rate: float, deadline: float) -> bool:
        """Look at a rate, and tell whether there was time for a run; one that is interrupted keeps what it saw.

        While no rate was shown to fail there are no more looks than that takes: higher up it takes less.
        """
        looks = LOOKS if self.bracket.fails else runs_to_fail(self.question.target, self.question.error)
        measurements: list[Measurement] = []
        decision = Decision.OPEN
        try:
            while decision is Decision.OPEN and (units := _units(measurements, looks)):
                count = self._count(rate, units, deadline)
                if not count:
                    break
                measurements.append(self._measured(rate, count))
                decision = decide(measurements, self.question.target, self.question.error)
        finally:
            if measurements:
                self.looks.append(_look(rate, measurements, decision))
                self.tell(self.looks[-1])
        return bool(measurements)

    def _measured(self, rate: float, count: int) -> Measurement:
        before = self.clock()
        measurement = self.measure(rate, count, self.runs)
        over_s = self.clock() - before - count / rate
        self._overhead_s = over_s if self.runs == 0 else min(over_s, self._overhead_s)
        self.runs += 1
        return measurement

    def _count(self, rate: float, units: int, deadline: float) -> int:
        """Requests of the next run: as long as planned, or as the time that is left allows; 0 where that is too short.

        A run lasts as long as its arrivals, or as the server takes for them, and some more to start and to end.
        """
        pace = min(rate, self.question.capacity or rate)
        unit_s = max(self.question.budget_s / UNITS, _SHORTEST * self._overhead_s)
        count = max(LEAST, round(rate * unit_s * units))
        fitting = int((deadline - self.clock() - self._overhead_s) * pace)
        return min(count, fitting) if fitting >= max(LEAST, rate * unit_s / 2) else 0


def _units(measurements: list[Measurement], looks: int) -> int:
    """How long the next run at a rate is; 0 where there is none, for want of `looks` or of VALID runs."""
    valid = sum(measurement.state == "VALID" for measurement in measurements)
    spoilt = len(measurements) - valid
    if any(measurement.state == "CAPPED" for measurement in measurements) or spoilt >= _SPOILT or valid >= looks:
        return 0
    return LENGTHS[valid]


def _look(rate: float, measurements: list[Measurement], decision: Decision) -> Look:
    """A CAPPED run leaves the rate open whatever the others said: they would be those with short queues."""
    stuck = any(measurement.state == "CAPPED" for measurement in measurements)
    valid = [measurement for measurement in measurements if measurement.state == "VALID"]
    return Look(
        Visit(rate, Decision.OPEN if stuck else decision, stuck),
        sum(len(measurement.met) for measurement in valid),
        sum(int(measurement.met.sum()) for measurement in valid),
        tuple(measurement.state for measurement in measurements),
    )
