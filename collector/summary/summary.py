"""The summary: every figure of a run, from its records and the facts around it."""

from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from collector.records.record import RETRIED, Outcome, error_names
from collector.statistics import order_statistics, stationarity
from collector.statistics.order_statistics import Spread
from collector.summary import arrival_audit, attainment, by_url, over_time, slo, verdict
from collector.summary import times as clock
from collector.summary.result import ErrorCount, Figures, Headline, Offered, ServerFigures, SloFigures
from collector.summary.run_info import Facts, Notes
from collector.summary.times import Times

__all__ = ["Facts", "Notes", "summarise"]


def summarise(records: NDArray[np.void], facts: Facts, notes: Notes) -> Figures:
    """Compute the figures of a run from all records that came (dtype `record.RECORD`, in any order).

    Lag and wait are over all sent requests, since leaving failures out would hide lateness; service and response are
    over those that succeeded, with the ones that never ended ranking as +infinity.
    """
    kept = clock.first_records(records, facts.planned)
    times = clock.of_run(kept, facts)
    service, response = (
        _of_successes(times, times.service_ns, facts.confidence),
        _of_successes(times, times.response_ns, facts.confidence),
    )
    duration_s = _duration_s(kept, facts)
    latency = response if facts.latency_from == "scheduled" else service
    return {
        **_headline(times, duration_s, latency),
        **_server(kept, notes),
        **_slo(times, facts),
        "offered": _offered(times, facts),
        "lag": order_statistics.spread(order_statistics.seconds(times.lag_ns), confidence=facts.confidence),
        "wait": order_statistics.spread(order_statistics.seconds(times.wait_ns), confidence=facts.confidence),
        "service": service,
        "response": response,
        "completion_width": _completion_width(kept, times, facts),
        "latency_from": facts.latency_from,
        "outcomes": by_url.outcomes(times),
        "errors": _errors(kept, notes),
        "confidence": facts.confidence,
        "retry_after": notes.patience.figures(),
        "retried": int(np.count_nonzero(kept["flags"] & RETRIED)),
        "max_in_flight": times.max_in_flight,
        "stationarity": stationarity.judge(
            order_statistics.seconds(times.latency_ns(facts.latency_from)[times.ok]), changing=bool(facts.rate_series)
        ),
        "arrival_audit": arrival_audit.audit(times, facts),
        "over_time": over_time.over_time(times, facts),
        "by_url": by_url.by_url(times, facts, duration_s),
        "end": {
            "counted_sent": facts.counted_sent,
            "stopped_ns": facts.stopped_ns,
            "drained_ns": facts.drained_ns,
            "ended_ns": facts.ended_ns,
            "died": list(facts.died),
            "busiest_sender": facts.busiest_sender,
        },
        "partial": facts.interrupted or bool(facts.died),
        "verdict": verdict.judge(kept, times, facts, verdict.conservation(records, times, facts)),
    }


def _headline(times: Times, duration_s: float, latency: Spread) -> Headline:
    completed = int(times.ok.sum())
    return Headline(
        duration=duration_s,
        completed_requests=completed,
        failed_requests=len(times.index) - completed,
        throughput_qps=completed / duration_s if duration_s > 0 else None,
        latency_mean=latency["mean"],
        latency_median=latency["p50"],
        latency_p50=latency["p50"],
        latency_p95=latency["p95"],
        latency_p99=latency["p99"],
    )


def _server(kept: NDArray[np.void], notes: Notes) -> ServerFigures:
    memory = kept["peak_memory_mb"][kept["outcome"] == Outcome.OK].astype(np.float64)
    memory = memory[np.isfinite(memory)]
    stages = {stage: np.array(values, dtype=np.float64) for stage, values in notes.stage_durations.items()}
    return ServerFigures(
        peak_memory_mb_max=order_statistics.percentile(memory, 1.0),
        peak_memory_mb_mean=order_statistics.mean(memory),
        peak_memory_mb_median=order_statistics.percentile(memory, 0.5),
        stage_durations_mean=_per_stage(stages, order_statistics.mean),
        stage_durations_p50=_per_stage(stages, lambda values: order_statistics.percentile(values, 0.5)),
        stage_durations_p99=_per_stage(stages, lambda values: order_statistics.percentile(values, 0.99)),
    )


def _slo(times: Times, facts: Facts) -> SloFigures:
    met = slo.attainment(times, facts) if facts.slo_enabled else None
    undecided = slo.undecided(times, facts) if met else 0
    return SloFigures(
        slo_attainment_rate=met.rate if met else None,
        slo_met_success=met.met if met else None,
        slo_scale=facts.slo_scale,
        slo={
            "enabled": facts.slo_enabled,
            "requests": met.requests if met else None,
            "undecided": undecided if met else None,
            "attainment_upper": met.upper(undecided) if met else None,
            "ci": met.interval(facts.confidence) if met else None,
            "n_effective": met.found.effective if met else None,
            "by_class": attainment.by_class(times, facts) if met else [],
            "over_time": attainment.over_time(times, facts) if met else [],
        },
    )


def _of_successes(times: Times, part_ns: NDArray[np.int64], confidence: float) -> Spread:
    return order_statistics.spread(order_statistics.seconds(part_ns[times.ok]), times.endless, confidence)


def _completion_width(kept: NDArray[np.void], times: Times, facts: Facts) -> Spread | None:
    """Describe how well the completions of the successful jobs are known; None where there were no jobs."""
    if not np.any(kept["accepted_ns"]):
        return None
    return order_statistics.spread(order_statistics.seconds(times.width_ns[times.ok]), confidence=facts.confidence)


def _duration_s(kept: NDArray[np.void], facts: Facts) -> float:
    """Seconds from time zero to the last completion on record, 0 where there is none."""
    return max(int(kept["done_ns"].max()) - facts.started_ns, 0) / order_statistics.NS_PER_S if len(kept) else 0.0


def _per_stage(
    durations: Mapping[str, NDArray[np.float64]], figure: Callable[[NDArray[np.float64]], float | None]
) -> dict[str, float | None]:
    return {stage: figure(values) for stage, values in durations.items()}


def _offered(times: Times, facts: Facts) -> Offered:
    sent = len(times.index)
    span_s = int(np.ptp(times.sent_ns)) / order_statistics.NS_PER_S if sent else 0.0
    return Offered(
        planned=facts.planned,
        sent=sent,
        unsent=facts.planned - sent,
        due=int(slo.due(times, facts).sum()),
        asked_rate="inf" if facts.closed_loop else facts.asked_rate,
        achieved_rate=(sent - 1) / span_s if span_s > 0 else None,
    )


def _errors(kept: NDArray[np.void], notes: Notes) -> dict[str, ErrorCount]:
    """Error kinds, the most frequent first."""
    failed = kept[kept["outcome"] == Outcome.ERROR]
    counts = Counter(error_names(failed))
    return {
        name: ErrorCount(count=count, example=notes.error_examples.get(name)) for name, count in counts.most_common()
    }
