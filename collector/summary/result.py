"""The result: the shapes of the JSON that a run leaves behind, key by key as dashboards read them.

Everything is JSON-native, so a value may cross a process as JSON: an infinite rate is the string "inf", and what is
not known (an empty set, a percentile that falls among requests that never ended) is null. Times are seconds.
"""

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from collector.statistics.order_statistics import Spread
from collector.statistics.stationarity import Stationarity

Rate = float | Literal["inf"]


class SecondCount(TypedDict):
    """Requests planned for one second, and sent in it."""

    at_s: int
    planned: int
    sent: int


class SecondCounts(TypedDict):
    """The planned span in seconds, and the second where the sends were furthest from the plan."""

    seconds: int
    worst: SecondCount


class ArrivalAudit(TypedDict):
    """Kolmogorov and Smirnov's `distance` of the planned gaps from what was asked for, and its `p`; null: not judged.

    `per_second` is null in a closed loop, which plans nothing.
    """

    process: str
    gaps: int
    distance: float | None
    p: float | None
    per_second: SecondCounts | None
    warning: str | None


class Offered(TypedDict):
    """The load: requests planned, sent, unsent and due (of an interrupted run: before the stop); rates in 1/s."""

    planned: int
    sent: int
    unsent: int
    due: int
    asked_rate: Rate
    achieved_rate: float | None


class Outcomes(TypedDict):
    """How the sent requests ended; the sum is `sent`."""

    ok: int
    error: int
    timeout: int
    cancelled: int
    unfinished: int
    lost: int


class ErrorCount(TypedDict):
    """How often an error kind was seen, and what one of them said (null where nothing was said)."""

    count: int
    example: str | None


class RetryAfter(TypedDict):
    """Answers 429 and 503 with Retry-After: how many, the seconds they gave (null: none did), one as it was sent."""

    count: int
    least_s: float | None
    most_s: float | None
    example: str | None


class Reason(TypedDict):
    """Why a verdict is what it is: whose doing, which rule (one word), and a sentence with the remedy."""

    by: Literal["tool", "machine", "budget", "user"]
    what: str
    text: str


class Verdict(TypedDict):
    """Whether these numbers may be believed, and why not."""

    state: Literal["VALID", "CAPPED", "INVALID"]
    reasons: list[Reason]


class Headline(TypedDict):
    """What dashboards read first: seconds, requests, requests/s."""

    duration: float
    completed_requests: int
    failed_requests: int
    throughput_qps: float | None
    latency_mean: float | None
    latency_median: float | None
    latency_p50: float | None
    latency_p95: float | None
    latency_p99: float | None


class ServerFigures(TypedDict):
    """What the server says of itself: MB, and seconds per stage."""

    peak_memory_mb_max: float | None
    peak_memory_mb_mean: float | None
    peak_memory_mb_median: float | None
    stage_durations_mean: dict[str, float | None]
    stage_durations_p50: dict[str, float | None]
    stage_durations_p99: dict[str, float | None]


class SloFigures(TypedDict):
    """Attainment, null where no SLO was asked for; `slo` says of how many requests, and how targets were found.

    In `slo`, `undecided` counts the jobs whose target lies inside what is known of their completion; they are not met,
    and `attainment_upper` is the rate if they were.
    """

    slo_attainment_rate: float | None
    slo_met_success: int | None
    slo_scale: float
    slo: Mapping[str, object]


# Attainment of the requests of one class: its width x height, frames and steps in words.
ClassAttainment = TypedDict(
    "ClassAttainment",
    {"class": str, "requests": int, "met": int, "attainment": float | None, "ci": tuple[float, float] | None},
)


class BinAttainment(TypedDict):
    """Attainment of the requests that were due in one stretch of time, seconds from time zero."""

    from_s: float
    to_s: float
    requests: int
    met: int
    attainment: float | None
    ci: tuple[float, float] | None


class Stretch(TypedDict):
    """Every figure of one stretch of a rate series, seconds from time zero; rates are 1/s, `in_flight` the most."""

    from_s: float
    to_s: float
    asked_rate: float
    achieved_rate: float
    throughput: float
    requests: int
    failed: int
    in_flight: int
    latency: Spread
    service_p50: float | None
    wait_p99: float | None
    lag_p99: float | None
    attainment: float | None


class PageFigures(TypedDict):
    """A page of `--server-metrics`: scrapes, those of them that failed, and what the first that did said."""

    url: str
    scrapes: int
    failed: int
    problem: str | None
    left_out: bool  # whether it has series that are not kept


class MetricSpread(TypedDict):
    """A series that moved, from time zero to the last answer; a counter is in 1/s; null: not one sample."""

    page: int
    name: str
    kind: str
    min: float | None
    mean: float | None
    max: float | None
    samples: int


class ServerMetrics(TypedDict):
    """What the pages of `--server-metrics` said; `still` counts the series that did not move."""

    pages: list[PageFigures]
    moved: list[MetricSpread]
    still: int
    warning: str | None


class UrlFigures(TypedDict):
    """What came of the requests to one base URL; times as `Spread` has them."""

    url: str
    planned: int
    sent: int
    completed_requests: int
    failed_requests: int
    throughput_qps: float | None
    outcomes: Outcomes
    max_in_flight: int
    service: Spread
    response: Spread
    slo_attainment_rate: float | None
    slo_met_success: int | None


class Figures(Headline, ServerFigures, SloFigures):
    """Everything that follows from the records and the facts of the run; see WIRE.md for the flat keys.

    `completion_width` is over the successful jobs, null where nothing was polled: service and response are the late end
    of what polling leaves open, and may be shorter by that much.
    """

    offered: Offered
    lag: Spread
    wait: Spread
    service: Spread
    response: Spread
    completion_width: Spread | None
    latency_from: str
    outcomes: Outcomes
    errors: dict[str, ErrorCount]
    confidence: float  # of every interval
    retry_after: RetryAfter | None
    retried: int  # sent again because the server had just closed the kept-alive connection
    max_in_flight: int
    stationarity: Stationarity
    arrival_audit: ArrivalAudit
    over_time: list[Stretch]  # of a rate series; else empty
    by_url: list[UrlFigures]  # in their order; empty where there is but one
    end: Mapping[str, Any]
    partial: bool
    verdict: Verdict


class Result(Figures):
    """The whole JSON: the figures, and what was run, against what, on which machine."""

    backend: str
    model: str
    dataset: str
    task: str
    warmup: Mapping[str, object]
    config: Mapping[str, object]
    environment: Mapping[str, object]
    self: Mapping[str, Mapping[str, Any]]
    server_metrics: ServerMetrics | None
    media: Mapping[str, Any]  # what was verified and saved, and what that cost in seconds


class Snapshot(TypedDict):
    """The run so far. `done` counts every request that ended, `failed` those of them that did not succeed."""

    planned: int
    sent: int
    in_flight: int
    done: int
    failed: int
    elapsed_s: float
    asked_rate: Rate
    achieved_rate: float | None
    p50_s: float | None
    p99_s: float | None
    left_s: float | None
    silent: int  # in flight for conspicuously long: see LiveFigures
    silent_s: float | None  # how long the oldest of them has been
    silent_index: int | None  # its place in the plan
