"""What a search found: its JSON."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from loadgen.search.search_loop import Look


class RateResult(TypedDict):
    """A rate (requests/s) that was looked at: the `requests` of its VALID runs and how many `met` their target.

    `decision` is holds, fails or open; `runs` are the verdicts of all its runs.
    """

    rate: float
    decision: str
    requests: int
    met: int
    attainment: float | None
    runs: Sequence[str]


class SearchResult(TypedDict):
    """What a search found, as docs/search.md has it.

    `bracket` is the highest rate shown to hold and the lowest shown to fail (requests/s, None where none was); both
    are right with `confidence`. `ended` is budget, precision, rates, interrupted or fault. `capacity` is in requests/s.
    """

    layout: int
    bracket: list[float | None]
    min_attainment: float
    confidence: float
    precision: float
    budget_s: float
    took_s: float
    ended: str
    capacity: float | None
    needs_n: int | None
    looks: list[RateResult]
    slo: Mapping[str, Any] | None
    latency_from: str
    config: Mapping[str, Any]
    environment: Mapping[str, Any]


def rate_result(look: Look) -> RateResult:
    """Say of one rate what was seen there."""
    return RateResult(
        rate=look.visit.rate,
        decision=look.visit.decision.value,
        requests=look.requests,
        met=look.met,
        attainment=look.attainment,
        runs=list(look.states),
    )
