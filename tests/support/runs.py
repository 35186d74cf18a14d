"""Small runs written by hand, in seconds from time zero, for the tests of the statistics."""

import numpy as np
from numpy.typing import NDArray

from collector.records.record import RECORD, Outcome
from collector.summary.summary import RunInfo
from collector.summary.times import Times, first_records, of_run

S = 1_000_000_000
START = 100 * S


def info(scheduled_s: list[float], sent_s: list[float | None], *, cap: int = 100, rate: float = 1.0) -> RunInfo:
    """Facts of a quiet run; seconds count from time zero, None is a request that was never sent."""
    send_times = [0 if time_ns is None else START + round(time_ns * S) for time_ns in sent_s]
    return RunInfo(
        scheduled_ns=np.array([START + round(time * S) for time in scheduled_s], dtype=np.int64),
        slo_ms=np.full(len(scheduled_s), np.nan),
        send_time_ns=np.array(send_times, dtype=np.int64),
        sent_count=sum(time_ns != 0 for time_ns in send_times),
        started_ns=START,
        max_concurrency=cap,
        asked_rate=rate,
        latency_from="scheduled",
        slo_enabled=False,
        slo_scale=3.0,
        stopped_ns=None,
        ended_ns=START + 60 * S,
        died=(),
    )


def records(*rows: tuple[int, float, float, Outcome]) -> NDArray[np.void]:
    """Records from (index, sent, done, outcome), seconds from time zero."""
    made = np.zeros(len(rows), RECORD)
    made["peak_memory_mb"] = made["inference_s"] = np.nan
    for row, (index, sent_s, done_s, outcome) in zip(made, rows, strict=True):
        row["index"], row["outcome"], row["status"] = index, outcome, 200
        row["sent_ns"], row["done_ns"] = START + round(sent_s * S), START + round(done_s * S)
    return made


def times_of(found: NDArray[np.void], known: RunInfo) -> Times:
    return of_run(first_records(found, known.planned), known)


def jobs(*rows: tuple[float, float, float, float]) -> NDArray[np.void]:
    """Records of successful jobs from (sent, last "not yet", first "completed", done), seconds from time zero."""
    made = records(*((k, sent_s, done_s, Outcome.OK) for k, (sent_s, _, _, done_s) in enumerate(rows)))
    for row, (sent_s, pending_s, completed_s, done_s) in zip(made, rows, strict=True):
        row["accepted_ns"] = START + round(sent_s * S) + 1
        row["pending_ns"], row["completed_ns"] = START + round(pending_s * S), START + round(completed_s * S)
        row["content_ns"] = START + round(done_s * S)
    return made
