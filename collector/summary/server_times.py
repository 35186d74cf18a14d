"""The server's own times, by its answers: inference, and the wait of jobs in its queue."""

import numpy as np
from numpy.typing import NDArray

from collector.records.record import Outcome
from collector.statistics import percentiles
from collector.summary.answer_figures import ServerTime


def inference(kept: NDArray[np.void]) -> ServerTime | None:
    """`inference_time_s` of the successes; None if the server never reports it."""
    ok = kept[kept["outcome"] == Outcome.OK]
    known = np.isfinite(ok["inference_s"]) & (ok["inference_s"] > 0)
    return _server_time(ok["inference_s"][known].astype(np.float64))


def queue(kept: NDArray[np.void]) -> ServerTime | None:
    """From the sending of a job to the first poll that said it runs, late by up to a poll interval; None if unknown."""
    ok = kept[(kept["outcome"] == Outcome.OK) & (kept["started_ns"] > 0)]
    return _server_time(percentiles.seconds(ok["started_ns"] - ok["sent_ns"]))


def _server_time(values_s: NDArray[np.float64]) -> ServerTime | None:
    if not len(values_s):
        return None
    ordered = np.sort(values_s)
    return ServerTime(
        n=len(ordered),
        mean=percentiles.mean(ordered),
        p50=percentiles.percentile(ordered, 0.5),
        p90=percentiles.percentile(ordered, 0.9),
        p95=percentiles.percentile(ordered, 0.95),
        p99=percentiles.percentile(ordered, 0.99),
        max=percentiles.percentile(ordered, 1.0),
    )
