"""The figures of each base URL of a run with several. Request i went to URL i modulo their number."""

from dataclasses import fields, replace

import numpy as np

from collector.records.record import Outcome
from collector.statistics import percentiles
from collector.summary import slo
from collector.summary.result import Outcomes, UrlFigures
from collector.summary.run_info import RunInfo
from collector.summary.times import Times


def by_url(times: Times, info: RunInfo, duration_s: float) -> list[UrlFigures]:
    """The figures of each URL, in their order; empty for a single URL, whose figures are those of the run."""
    if len(info.urls) < 2:
        return []
    return [_figures(number, times, info, duration_s) for number in range(len(info.urls))]


def outcomes(times: Times) -> Outcomes:
    """Count how requests ended."""

    def count(outcome: Outcome) -> int:
        return int(np.sum(times.outcome == outcome))

    return Outcomes(
        ok=count(Outcome.OK),
        error=count(Outcome.ERROR),
        timeout=count(Outcome.TIMEOUT),
        cancelled=count(Outcome.CANCELLED),
        unfinished=count(Outcome.UNFINISHED),
        lost=count(Outcome.LOST),
    )


def _figures(number: int, times: Times, info: RunInfo, duration_s: float) -> UrlFigures:
    own = _of_url(times, number, len(info.urls))
    ended = outcomes(own)
    planned = np.arange(info.planned) % len(info.urls) == number
    targets = replace(info, slo_ms=np.where(planned, info.slo_ms, np.nan))
    met = slo.attainment(times, targets) if info.slo_enabled else None
    return UrlFigures(
        url=info.urls[number],
        planned=int(planned.sum()),
        sent=len(own.index),
        completed_requests=ended["ok"],
        failed_requests=len(own.index) - ended["ok"],
        throughput_qps=ended["ok"] / duration_s if duration_s > 0 else None,
        outcomes=ended,
        max_in_flight=own.max_in_flight,
        service=percentiles.spread(percentiles.seconds(own.service_ns[own.ok]), own.endless, info.confidence),
        response=percentiles.spread(percentiles.seconds(own.response_ns[own.ok]), own.endless, info.confidence),
        slo_attainment_rate=met.rate if met else None,
        slo_met_success=met.met if met else None,
    )


def _of_url(times: Times, number: int, urls: int) -> Times:
    own = times.index % urls == number
    return Times(**{field.name: getattr(times, field.name)[own] for field in fields(Times)})
