"""How often an interval covers the truth, and steadiness is judged rightly, by seeded simulation."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collector.statistics.intervals import binomial_cdf, quantile_ranks
from collector.statistics.percentiles import PERCENTILES, spread
from collector.statistics.stationarity import judge
from scripts.benching.table import markdown

RUNS = 1_000
CONFIDENCE = 0.95
Series = NDArray[np.float64]


def main() -> None:
    """Print the tables."""
    print(f"\n{RUNS} runs each, confidence {CONFIDENCE}\n")
    print(markdown(("independent, n", "percentile", "exact", "covered", "no interval"), independent()))
    print()
    print(markdown(("queue", "load", "n", "percentile", "covered", "no interval"), queues()))
    print()
    print(markdown(("series", "n", "drift", "transient", "undecided"), steadiness()))


def independent() -> list[tuple[str, ...]]:
    """Exponential responses, each for itself: the exact coverage is that of the ranks."""
    rows: list[tuple[str, ...]] = []
    for n in (100, 400, 4000):
        for name in ("p50", "p95", "p99"):
            p, random = PERCENTILES[name], np.random.default_rng(n)
            ranks = quantile_ranks(p, n, CONFIDENCE)
            if ranks is not None:
                exact = binomial_cdf(ranks[1] - 1, n, p) - binomial_cdf(ranks[0] - 1, n, p)
                covered, missing = cover(partial(random.exponential, 1.0, n), name, -math.log(1 - p))
                rows.append((f"{n}", name, f"{exact:.3f}", covered, missing))
    return rows


def queues() -> list[tuple[str, ...]]:
    """One server, Poisson arrivals: responses are correlated, the more so the higher the load."""
    rows: list[tuple[str, ...]] = []
    for kind in ("M/M/1", "M/D/1"):
        for load in (0.3, 0.6, 0.8):
            truth = {name: true_quantile(kind, load, PERCENTILES[name]) for name in ("p50", "p95")}
            for n in (1_000, 5_000):
                random = np.random.default_rng(n)
                for name in ("p50", "p95"):
                    draw = partial(responses, kind, load, n, random)
                    rows.append((kind, f"{load}", f"{n}", name, *cover(draw, name, truth[name])))
    return rows


def steadiness() -> list[tuple[str, ...]]:
    """How often a drift and a transient are named: of what has none, of a queue that grows, and after a cold start."""
    kinds: dict[str, Callable[[int, np.random.Generator], Series]] = {
        "independent, exponential": lambda n, random: random.exponential(1.0, n),
        "independent, lognormal (sigma 1.5)": lambda n, random: random.lognormal(0.0, 1.5, n),
        "M/M/1, load 0.3": lambda n, random: responses("M/M/1", 0.3, n, random, 5_000),
        "M/M/1, load 0.6": lambda n, random: responses("M/M/1", 0.6, n, random, 5_000),
        "M/M/1, load 0.8": lambda n, random: responses("M/M/1", 0.8, n, random, 5_000),
        "M/M/1, load 0.9": lambda n, random: responses("M/M/1", 0.9, n, random, 5_000),
        "M/M/1, load 1.1, from empty": lambda n, random: responses("M/M/1", 1.1, n, random, 0),
        "M/M/1, load 1.3, from empty": lambda n, random: responses("M/M/1", 1.3, n, random, 0),
        "first tenth 3 times as slow": cold_start,
    }
    sizes = (300, 1_000, 5_000)
    return [
        (name, f"{n}", *named(partial(draw, n, np.random.default_rng(n))))
        for name, draw in kinds.items()
        for n in sizes
    ]


def named(draw: Callable[..., Any]) -> tuple[str, str, str]:
    """Shares of the runs with a warning of a drift, with a transient, and of those too short to tell a drift."""
    found = [judge(draw()) for _ in range(RUNS)]
    drifting = sum("p = " in (each["warning"] or "") for each in found)
    short = sum(each["drift_p_value"] is None for each in found)
    cut = sum(each["transient"] > 0 for each in found)
    return f"{drifting / RUNS:.3f}", f"{cut / RUNS:.3f}", f"{short / RUNS:.3f}"


def cold_start(n: int, random: np.random.Generator) -> Series:
    """Exponential responses, the first tenth of them 3 times as slow."""
    return random.exponential(1.0, n) * np.where(np.arange(n) < n // 10, 3.0, 1.0)


def cover(draw: Callable[..., Any], name: str, truth: float) -> tuple[str, str]:
    """Share of the intervals that hold the truth, and of the runs that have none."""
    ends = [spread(draw(), confidence=CONFIDENCE)["ci"][name] for _ in range(RUNS)]
    known = [pair for pair in ends if pair is not None]
    held = sum(low is not None and low <= truth and (high is None or truth <= high) for low, high in known)
    return (f"{held / len(known):.3f}" if known else "-", f"{1 - len(known) / RUNS:.3f}")


def responses(kind: str, load: float, n: int, random: np.random.Generator, warm: int = 500) -> Series:
    """Response times of a queue in its steady state, mean service 1 (Lindley's recursion in closed form)."""
    count = n + warm
    service = random.exponential(1, count) if kind == "M/M/1" else np.ones(count)
    steps = np.concatenate([[0.0], service[:-1] - random.exponential(1 / load, count - 1)])
    walk = np.cumsum(steps)
    waits = walk - np.minimum.accumulate(walk)
    return (waits + service)[warm:]


def true_quantile(kind: str, load: float, p: float) -> float:
    """Of M/M/1 the response is exponential with rate 1 - load; of M/D/1 it is taken from one very long run."""
    if kind == "M/M/1":
        return -math.log(1 - p) / (1 - load)
    return float(np.quantile(responses(kind, load, 20_000_000, np.random.default_rng(0)), p))


if __name__ == "__main__":
    main()
