"""The summary: every figure of a run, from its records, run info and notes."""

from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from collector.records.record import RETRIED, Outcome, error_names, failures
from collector.statistics import percentiles, stationarity
from collector.statistics.percentiles import Spread
from collector.summary import arrival_audit, attainment, by_url, over_time, server_times, slo, verdict
from collector.summary import times as clock
from collector.summary.media_remarks import media_remarks
from collector.summary.result import ErrorCount, Figures, Headline, Offered, ServerFigures, SloFigures
from collector.summary.run_info import RunInfo, RunNotes
from collector.summary.times import Times

__all__ = ["RunInfo", "RunNotes", "summarise"]


def summarise(records: NDArray[np.void], info: RunInfo, notes: RunNotes) -> Figures:
    """Compute the figures of a run from all records (dtype RECORD, in any order).

    Lag and wait are over all sent requests, since without the failures lateness could go unseen; service and response
    are over the successes, and requests that never ended rank as +infinity.
    """
    kept = clock.first_records(records, info.planned)
    times = clock.of_run(kept, info)
    service, response = (
        _of_successes(times, times.service_ns, info.confidence),
        _of_successes(times, times.response_ns, info.confidence),
    )
    duration_s = _duration_s(kept, info)
    latency = response if info.latency_from == "scheduled" else service
    return {
        **_headline(kept, times, duration_s, latency),
        **_server(kept, notes),
        **_slo(times, info),
        "offered": _offered(times, info),
        "lag": percentiles.spread(percentiles.seconds(times.lag_ns), confidence=info.confidence),
        "wait": percentiles.spread(percentiles.seconds(times.wait_ns), confidence=info.confidence),
        "service": service,
        "response": response,
        "completion_width": _completion_width(kept, times, info),
        "latency_from": info.latency_from,
        "outcomes": by_url.outcomes(times),
        "errors": _errors(kept, notes),
        "media": {"remarks": media_remarks(kept, info)},
        "confidence": info.confidence,
        "retry_after": notes.retry_after.figures(),
        "retried": int(np.count_nonzero(kept["flags"] & RETRIED)),
        "failed_polls": int(kept["failed_polls"].sum(dtype=np.int64)),
        "max_in_flight": times.max_in_flight,
        "stationarity": stationarity.judge(
            percentiles.seconds(times.latency_ns(info.latency_from)[times.ok]), changing=bool(info.rate_series)
        ),
        "arrival_audit": arrival_audit.audit(times, info),
        "over_time": over_time.over_time(times, info),
        "by_url": by_url.by_url(times, info, duration_s),
        "end": {
            "sent_count": info.sent_count,
            "stopped_ns": info.stopped_ns,
            "drained_ns": info.drained_ns,
            "ended_ns": info.ended_ns,
            "died": list(info.died),
            "busiest_sender": info.busiest_sender,
        },
        "partial": info.interrupted or bool(info.died),
        "verdict": verdict.judge(kept, times, info, verdict.conservation(records, times, info)),
    }


def _headline(kept: NDArray[np.void], times: Times, duration_s: float, latency: Spread) -> Headline:
    completed = int(times.ok.sum())
    outputs = int(kept["outputs"][kept["outcome"] == Outcome.OK].sum(dtype=np.int64))
    return Headline(
        duration=duration_s,
        completed_requests=completed,
        failed_requests=len(times.index) - completed,
        request_errors=_request_errors(kept, times),
        throughput_qps=completed / duration_s if duration_s > 0 else None,
        completed_outputs=outputs,
        output_throughput_ops=outputs / duration_s if duration_s > 0 else None,
        latency_mean=latency["mean"],
        latency_median=latency["p50"],
        latency_p50=latency["p50"],
        latency_p90=latency["p90"],
        latency_p95=latency["p95"],
        latency_p99=latency["p99"],
    )


def _request_errors(kept: NDArray[np.void], times: Times) -> dict[str, int]:
    """Count every failed request, the most frequent error first; lost ones have no record."""
    counts = failures(kept)
    if lost := int(np.sum(times.outcome == Outcome.LOST)) - counts["lost"]:
        counts["lost"] += lost
    return {name: count for name, count in counts.most_common() if count}


def _server(kept: NDArray[np.void], notes: RunNotes) -> ServerFigures:
    memory = kept["peak_memory_mb"][kept["outcome"] == Outcome.OK].astype(np.float64)
    memory = memory[np.isfinite(memory)]
    stages = {stage: np.array(values, dtype=np.float64) for stage, values in notes.stage_durations.items()}
    return ServerFigures(
        peak_memory_mb_max=percentiles.percentile(memory, 1.0),
        peak_memory_mb_mean=percentiles.mean(memory),
        peak_memory_mb_median=percentiles.percentile(memory, 0.5),
        stage_durations_mean=_per_stage(stages, percentiles.mean),
        stage_durations_p50=_per_stage(stages, lambda values: percentiles.percentile(values, 0.5)),
        stage_durations_p99=_per_stage(stages, lambda values: percentiles.percentile(values, 0.99)),
        server_inference=server_times.inference(kept),
        server_queue=server_times.queue(kept),
    )


def _slo(times: Times, info: RunInfo) -> SloFigures:
    met = slo.attainment(times, info) if info.slo_enabled else None
    undecided = slo.undecided(times, info) if met else 0
    return SloFigures(
        slo_attainment_rate=met.rate if met else None,
        slo_met_success=met.met if met else None,
        slo_scale=info.slo_scale,
        slo={
            "enabled": info.slo_enabled,
            "requests": met.requests if met else None,
            "undecided": undecided if met else None,
            "attainment_upper": met.upper(undecided) if met else None,
            "ci": met.interval(info.confidence) if met else None,
            "n_effective": met.correlated.effective if met else None,
            "by_class": attainment.by_class(times, info) if met else [],
            "over_time": attainment.over_time(times, info) if met else [],
        },
    )


def _of_successes(times: Times, part_ns: NDArray[np.int64], confidence: float) -> Spread:
    return percentiles.spread(percentiles.seconds(part_ns[times.ok]), times.endless, confidence)


def _completion_width(kept: NDArray[np.void], times: Times, info: RunInfo) -> Spread | None:
    """The widths of the completion intervals of the successful jobs; None if there were no jobs."""
    if not np.any(kept["accepted_ns"]):
        return None
    return percentiles.spread(percentiles.seconds(times.width_ns[times.ok]), confidence=info.confidence)


def _duration_s(kept: NDArray[np.void], info: RunInfo) -> float:
    """Seconds from time zero to the last completion on record; 0 if there is none."""
    return max(int(kept["done_ns"].max()) - info.started_ns, 0) / percentiles.NS_PER_S if len(kept) else 0.0


def _per_stage(
    durations: Mapping[str, NDArray[np.float64]], figure: Callable[[NDArray[np.float64]], float | None]
) -> dict[str, float | None]:
    return {stage: figure(values) for stage, values in durations.items()}


def _offered(times: Times, info: RunInfo) -> Offered:
    sent = len(times.index)
    span_s = int(np.ptp(times.sent_ns)) / percentiles.NS_PER_S if sent else 0.0
    return Offered(
        planned=info.planned,
        sent=sent,
        unsent=info.planned - sent,
        due=int(slo.due(times, info).sum()),
        asked_rate="inf" if info.closed_loop else info.asked_rate,
        achieved_rate=(sent - 1) / span_s if span_s > 0 else None,
    )


def _errors(kept: NDArray[np.void], notes: RunNotes) -> dict[str, ErrorCount]:
    """Error kinds, the most frequent first."""
    failed = kept[kept["outcome"] == Outcome.ERROR]
    counts = Counter(error_names(failed))
    return {
        name: ErrorCount(count=count, example=notes.error_examples.get(name)) for name, count in counts.most_common()
    }
