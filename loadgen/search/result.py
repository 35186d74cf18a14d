"""The result of a search, as JSON has it."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from loadgen.search.bracket import RateTest


class RateResult(TypedDict):
    """A tested rate (requests/s): the `requests` of its VALID runs and how many `met` their target.

    `decision` is holds, fails or open; `runs` are the verdicts of all its runs, in which `failed` of `sent` requests
    failed; `request_errors` counts them by kind.
    """

    rate: float
    decision: str
    requests: int
    met: int
    attainment: float | None
    runs: Sequence[str]
    sent: int
    failed: int
    request_errors: Mapping[str, int]


class SearchResult(TypedDict):
    """The result of a search; docs/search.md describes it.

    `bracket` is the highest rate shown to hold and the lowest shown to fail (requests/s, None if there is none); the
    whole bracket has this `confidence`. `tests` are the tested rates. `ended` is time_limit, precision, rates, warmup
    (all of a run failed), interrupted or fault. `capacity_estimate` is in requests/s.
    """

    layout: int
    bracket: list[float | None]
    min_attainment: float
    confidence: float
    precision: float
    time_limit_s: float
    duration_s: float
    ended: str
    capacity_estimate: float | None
    needs_n: int | None
    tests: list[RateResult]
    slo: Mapping[str, Any] | None
    latency_from: str
    remarks: list[str]
    config: Mapping[str, Any]
    environment: Mapping[str, Any]


def rate_result(tested: RateTest) -> RateResult:
    """Return the JSON of one tested rate."""
    return RateResult(
        rate=tested.rate,
        decision=tested.decision.value,
        requests=tested.requests,
        met=tested.met,
        attainment=tested.attainment,
        runs=list(tested.states),
        sent=tested.sent,
        failed=sum(tested.request_errors.values()),
        request_errors=dict(tested.request_errors),
    )
