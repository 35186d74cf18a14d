"""A search against a simulated M/M/1 queue (Lindley's recursion), and the true highest rate."""

import math
from dataclasses import dataclass

import numpy as np

from loadgen.search.bracket import Bracket
from loadgen.search.measurement import Measurement
from loadgen.search.search_loop import SearchGoal, SearchLoop


@dataclass(frozen=True, slots=True)
class Server:
    """One replica with exponential service, `mu` of them a second on average, and a target of `slo_s`."""

    mu: float
    slo_s: float

    def truth(self, attainment: float) -> float:
        """Highest rate with that attainment: the response of M/M/1 is exponential with rate mu - lambda."""
        return self.mu + math.log(1 - attainment) / self.slo_s

    def response_s(
        self, rate: float, count: int, random: np.random.Generator
    ) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Response times from an empty server on: wait = max(0, wait before + service before - gap)."""
        service = random.exponential(1 / self.mu, count)
        steps = np.concatenate([[0.0], service[:-1] - random.exponential(1 / rate, count - 1)])
        walk = np.cumsum(steps)
        response: np.ndarray[tuple[int], np.dtype[np.float64]] = walk - np.minimum.accumulate(walk) + service
        return response


class SimulatedTime:
    """A clock that each measurement moves on, by how long the run would have taken."""

    def __init__(self, server: Server, seed: int, overhead_s: float) -> None:
        self.now_s = 0.0
        self._server, self._random, self._overhead_s = server, np.random.default_rng(seed), overhead_s

    def measure(self, rate: float, count: int, _run: int) -> Measurement:
        """Run `count` Poisson arrivals at `rate`."""
        response_s = self._server.response_s(rate, count, self._random)
        self.now_s += count / rate + float(response_s[-1]) + self._overhead_s
        return Measurement(response_s <= self._server.slo_s, response_s)


def search(
    server: Server, goal: SearchGoal, seed: int, start: float, overhead_s: float = 2.0
) -> tuple[Bracket, SearchLoop, float]:
    """Search once in simulated time; return the bracket, the search loop and the seconds that it took."""
    time = SimulatedTime(server, seed, overhead_s)
    search_loop = SearchLoop(goal, time.measure, lambda: time.now_s)
    return search_loop.run(start), search_loop, time.now_s


def contains(found: Bracket, truth: float) -> bool:
    """Whether the truth lies in the bracket; an open end excludes nothing."""
    return (found.holds or 0.0) <= truth and (found.fails is None or truth < found.fails)


def coverage(server: Server, attainment: float, time_limit_s: float, overhead_s: float, seeds: int) -> tuple[str, ...]:
    """A row of the table: `seeds` searches that start from half of what the server does."""
    truth = server.truth(attainment)
    goal = SearchGoal(attainment, time_limit_s, capacity=server.mu)
    found = [search(server, goal, seed, server.mu / 2, overhead_s) for seed in range(seeds)]
    widths = sorted(b.fails / b.holds for b, _, _ in found if b.holds and b.fails)
    took = sorted(took_s for _, _, took_s in found)
    return (
        f"{server.mu:g}",
        f"{server.slo_s:g} s",
        f"{attainment:g}",
        f"{truth:.3g}",
        f"{time_limit_s:,.0f} s",
        f"{sum(contains(b, truth) for b, _, _ in found) / seeds:.3f}",
        f"{len(widths) / seeds:.3f}",
        f"{widths[len(widths) // 2]:.3g}" if widths else "-",
        f"{took[seeds // 2]:,.0f} s",
    )
