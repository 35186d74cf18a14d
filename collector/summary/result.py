"""The types of the result JSON, with the keys that dashboards read.

Every value is JSON-native: an infinite rate is the string "inf", and an unknown value (of an empty set, or a percentile
that falls among requests that never ended) is null. Times are in seconds.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, TypedDict

from collector.statistics.percentiles import Spread
from collector.statistics.stationarity import Stationarity
from collector.summary.answer_figures import ServerTime

Rate = float | Literal["inf"]

# Of result JSON, run folders, sweeps and searches; raised whenever a key or a file changes its meaning.
LAYOUT: Final = 6


class SecondCount(TypedDict):
    """Requests planned for one second, and sent in it."""

    at_s: int
    planned: int
    sent: int


class SecondCounts(TypedDict):
    """The planned duration in seconds, and the second in which the sends deviated most from the plan."""

    seconds: int
    worst: SecondCount


class ArrivalAudit(TypedDict):
    """The Kolmogorov-Smirnov test of the planned gaps against the asked process; null: not tested.

    `gaps` is the sample size. `per_second` is null in a closed loop, where requests have no planned times.
    """

    process: str
    gaps: int
    ks_distance: float | None
    p_value: float | None
    per_second: SecondCounts | None
    warning: str | None


class Offered(TypedDict):
    """The offered load: requests planned, sent, unsent and due (if interrupted: before the stop); rates in 1/s."""

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
    """How often an error kind occurred, and the message of one of them (null where there was none)."""

    count: int
    example: str | None


class RetryAfter(TypedDict):
    """Answers 429 and 503 with a Retry-After header: count, smallest and largest in seconds (null: none), one value."""

    count: int
    min_s: float | None
    max_s: float | None
    example: str | None


class Reason(TypedDict):
    """A reason for a verdict: what caused it, which rule found it (one word), and a sentence with the remedy."""

    cause: Literal["tool", "machine", "budget", "user"]
    rule: str
    text: str


class Verdict(TypedDict):
    """Whether the figures may be trusted, and the reasons if not."""

    state: Literal["VALID", "CAPPED", "INVALID"]
    reasons: list[Reason]


class Headline(TypedDict):
    """The headline figures, in seconds, requests and requests/s.

    `request_errors` counts the failed requests by error name or outcome, the most frequent first; the sum is
    `failed_requests`. Outputs are the images and videos of the successful answers.
    """

    duration: float
    completed_requests: int
    failed_requests: int
    request_errors: dict[str, int]
    throughput_qps: float | None
    completed_outputs: int
    output_throughput_ops: float | None
    latency_mean: float | None
    latency_median: float | None
    latency_p50: float | None
    latency_p90: float | None
    latency_p95: float | None
    latency_p99: float | None


class ServerFigures(TypedDict):
    """Figures from the server's answers: memory in MB, seconds per stage, and its own times (null: never told)."""

    peak_memory_mb_max: float | None
    peak_memory_mb_mean: float | None
    peak_memory_mb_median: float | None
    stage_durations_mean: dict[str, float | None]
    stage_durations_p50: dict[str, float | None]
    stage_durations_p99: dict[str, float | None]
    server_inference: ServerTime | None
    server_queue: ServerTime | None  # of jobs, late by up to a poll interval


class SloFigures(TypedDict):
    """SLO attainment, null without an SLO; `slo` has the number of requests and the source of the targets.

    In `slo`, `undecided` counts the jobs whose target lies inside their completion interval; they count as not met,
    and `attainment_upper` is the rate if they were met.
    """

    slo_attainment_rate: float | None
    slo_met_success: int | None
    slo_scale: float
    slo: Mapping[str, object]


# SLO attainment of the requests of one class: one width x height, number of frames and of steps.
ClassAttainment = TypedDict(
    "ClassAttainment",
    {"class": str, "requests": int, "met": int, "attainment": float | None, "ci": tuple[float, float] | None},
)


class BinAttainment(TypedDict):
    """SLO attainment of the requests that were due in one interval of time, seconds from time zero."""

    from_s: float
    to_s: float
    requests: int
    met: int
    attainment: float | None
    ci: tuple[float, float] | None


class Stretch(TypedDict):
    """The figures of one interval of a rate series, seconds from time zero; rates in 1/s, `in_flight` is the most."""

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
    """A page of `--server-metrics`: how many scrapes, how many of them failed, and the first error."""

    url: str
    scrapes: int
    failed: int
    error: str | None
    truncated: bool  # whether it has series that are not kept


class MetricSpread(TypedDict):
    """A series that changed, from time zero to the last answer; a counter is in 1/s; null: not one sample."""

    page: int
    name: str
    kind: str
    min: float | None
    mean: float | None
    max: float | None
    samples: int


class ServerMetrics(TypedDict):
    """The metrics that `--server-metrics` scraped; `unchanged` counts the series that did not change."""

    pages: list[PageFigures]
    changed: list[MetricSpread]
    unchanged: int
    warning: str | None


class UrlFigures(TypedDict):
    """The figures of the requests to one base URL."""

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
    """Every figure that follows from the records and the run info.

    `completion_width` is over the successful jobs, null if nothing was polled: service and response count to the late
    end of the completion interval, and may be shorter by that much.
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
    media: Mapping[str, Any]  # `remarks`: list[MediaRemark]; in a result also what was verified and saved
    retried: int  # sent again because the server had just closed the kept-alive connection
    failed_polls: int  # polls of jobs that failed and were repeated
    max_in_flight: int
    stationarity: Stationarity
    arrival_audit: ArrivalAudit
    over_time: list[Stretch]  # of a rate series; else empty
    by_url: list[UrlFigures]  # in their order; empty where there is but one
    end: Mapping[str, Any]
    partial: bool
    verdict: Verdict


class Result(Figures):
    """The whole result JSON: the figures and the run metadata."""

    layout: int

    backend: str
    endpoint: str  # URL path of the requests
    model: str
    dataset: str
    task: str
    bot_task: str | None  # of --extra-body
    num_outputs_per_prompt: int
    warmup: Mapping[str, object]
    config: Mapping[str, object]
    environment: Mapping[str, object]
    processes: Mapping[str, Mapping[str, Any]]  # own resource usage, by process name
    server_metrics: ServerMetrics | None
    remarks: list[str]  # flags without effect, and the like


class ErrorStorm(TypedDict):
    """Most of the latest requests failed: `failed` of `ended`; the most frequent error, and one message of it."""

    failed: int
    ended: int
    error: str
    example: str | None


class Snapshot(TypedDict):
    """The figures of a run in progress. `done` counts requests that ended, `failed` those of them that failed."""

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
    remaining_s: float | None
    unanswered: int  # in flight for an unusually long time: see LiveFigures
    unanswered_s: float | None  # how long the oldest of them has been in flight
    unanswered_index: int | None  # its plan index
    storm: ErrorStorm | None
