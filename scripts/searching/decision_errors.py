"""How often a rate at the edge of the target is decided wrongly: the weakest point of a search, since tau is estimated.

No processes: one replica of mean service 1, Poisson arrivals, runs from an empty server (Lindley's recursion).
"""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from loadgen.search.decision import LOOKS, Decision, decide
from loadgen.search.measurement import Measurement
from loadgen.search.search_loop import RUN_UNITS

ERROR: Final = 0.005  # of one rate, at a confidence of 0.95
NEAR: Final = 0.1  # the rate has so much more, or fewer, misses than the target allows
PLACES: Final = ((0.54, 100), (0.3, 100), (0.54, 300), (0.8, 500))  # load, requests in a run of one unit
LONG: Final = 2_000_000  # requests, from which the truth is taken
Seconds = NDArray[np.float64]
Draw = Callable[[int, np.random.Generator], Seconds]
SERVICES: Final[dict[str, Draw]] = {
    "exponential": lambda n, random: random.exponential(1.0, n),
    "lognormal": lambda n, random: random.lognormal(-0.5, 1.0, n),
}


def decision_errors(seeds: int) -> Iterator[tuple[str, ...]]:
    """A row a case: how often a rate just below the target is decided to hold, and one just above it to fail."""
    for name, (load, unit), target in product(SERVICES, PLACES, (0.9, 0.99)):
        random = np.random.default_rng(1)
        steady = _responses(SERVICES[name], load, LONG, random)[1000:]
        shares = []
        for side, wrong in ((-1, Decision.HOLDS), (1, Decision.FAILS)):
            slo_s = float(np.quantile(steady, target + side * NEAR * (1 - target)))
            decisions = [_test(SERVICES[name], load, unit, slo_s, target, random) for _ in range(seeds)]
            shares.append(f"{sum(decision is wrong for decision in decisions) / seeds:.2%}")
        yield name, f"{load:g}", f"{unit} to {unit * max(RUN_UNITS)}", f"{target:g}", *shares


def _test(draw: Draw, load: float, unit: int, slo_s: float, target: float, random: np.random.Generator) -> Decision:
    """Test one rate as a search does, until it is decided or has had all its looks."""
    measurements: list[Measurement] = []
    for length in RUN_UNITS[:LOOKS]:
        response_s = _responses(draw, load, unit * length, random)
        measurements.append(Measurement(response_s <= slo_s, response_s))
        if (decision := decide(measurements, target, ERROR)) is not Decision.OPEN:
            return decision
    return Decision.OPEN


def _responses(draw: Draw, load: float, n: int, random: np.random.Generator) -> Seconds:
    service = draw(n, random)
    walk = np.cumsum(np.concatenate([[0.0], service[:-1] - random.exponential(1 / load, n - 1)]))
    response: Seconds = walk - np.minimum.accumulate(walk) + service
    return response
