"""A point of a sweep: the figures of one rate, each with its interval."""

import math
from statistics import NormalDist
from typing import Any, TypedDict

import numpy as np

from collector.saved.run_folder import SavedRun
from collector.statistics.autocorrelation import correlation
from collector.statistics.percentiles import seconds
from collector.summary import times as clock
from collector.summary.times import Times

Ends = list[float | None]


class Estimate(TypedDict):
    """A figure and the ends of its interval (upper null: infinite); null: unknown, or n is too small."""

    value: float | None
    ci: Ends | None


class Point(TypedDict):
    """The run at one rate (requests/s): verdict and figures. Latencies in seconds, throughput in 1/s."""

    rate: float
    folder: str
    state: str
    reasons: list[str]
    requests: int
    sent: int
    failed: int
    request_errors: dict[str, int]
    achieved_rate: float | None
    max_in_flight: int
    throughput: Estimate
    attainment: Estimate
    p50: Estimate
    p99: Estimate
    mean: float | None


def point_of(saved: SavedRun, rate: float) -> Point:
    """The point of a complete run."""
    assert saved.summary is not None
    result = saved.summary
    latency = result["response" if result["latency_from"] == "scheduled" else "service"]
    times = clock.of_run(clock.first_records(saved.records, saved.info.planned), saved.info)
    return Point(
        rate=rate,
        folder=saved.folder.name,
        state=result["verdict"]["state"],
        reasons=[reason["text"] for reason in result["verdict"]["reasons"]],
        requests=result["offered"]["planned"],
        sent=result["offered"]["sent"],
        failed=result["failed_requests"],
        request_errors=result["request_errors"],
        achieved_rate=result["offered"]["achieved_rate"],
        max_in_flight=result["max_in_flight"],
        throughput=Estimate(value=result["throughput_qps"], ci=_throughput(times, saved.info.confidence)),
        attainment=Estimate(value=result["slo_attainment_rate"], ci=result["slo"].get("ci")),
        p50=_percentile(latency, "p50"),
        p99=_percentile(latency, "p99"),
        mean=latency["mean"],
    )


def _percentile(latency: dict[str, Any], name: str) -> Estimate:
    return Estimate(value=latency[name], ci=latency["ci"].get(name))


def _throughput(times: Times, confidence: float) -> Ends | None:
    """Interval of the successes per second, from that of the mean gap between them.

    By the normal approximation, mean (1 -+ z s / (mean sqrt(n / tau))), so None for fewer than 20 effective gaps.
    """
    done_ns = np.sort(times.done_ns[times.ok])
    gaps = seconds(done_ns[1:] - done_ns[:-1])
    found = correlation(gaps)
    if found.effective < 20 or not found.enough or not gaps.sum():
        return None
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    off = z * float(gaps.std()) / float(gaps.mean()) / math.sqrt(found.effective)
    per_s = 1 / float(gaps.mean())
    return [per_s / (1 + off), per_s / (1 - off) if off < 1 else None]
