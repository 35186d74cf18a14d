"""A measurement: which requests of one run at one rate met their target, and their response times."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.saved.run_folder import SavedRun
from collector.statistics.percentiles import seconds
from collector.summary import slo
from collector.summary import times as clock

TRANSIENT: Final = 10  # the first 1/10 of a run is cut: it starts with an empty server


@dataclass(frozen=True, slots=True)
class Measurement:
    """One run at one rate, in schedule order.

    `met` bool[n] says whether each request that has a target met it, `response_s` float64[n] when it ended, failed ones
    included. `state` is the verdict of the run; only VALID runs count in a decision. `sent` counts the requests sent,
    `request_errors` the failed ones by kind.
    """

    met: NDArray[np.bool_]
    response_s: NDArray[np.float64]
    state: str = "VALID"
    sent: int = 0
    request_errors: Mapping[str, int] = field(default_factory=dict)

    @property
    def steady(self) -> "Measurement":
        """The measurement without its transient."""
        first = -(-len(self.met) // TRANSIENT)
        return Measurement(self.met[first:], self.response_s[first:], self.state)


def read_measurement(saved: SavedRun) -> Measurement:
    """Read the measurement of a saved run; an interrupted or incomplete run is INVALID."""
    info = saved.info
    times = clock.of_run(clock.first_records(saved.records, info.planned), info)
    has_target, met = slo.judged(times, info)
    response_s = np.full(info.planned, np.nan)
    response_s[times.index] = seconds(times.latency_ns(info.latency_from))
    has_target &= ~np.isnan(response_s)
    summary = saved.summary or {}
    verdict = summary.get("verdict", {})
    state = str(verdict.get("state", "INVALID")) if saved.complete and not info.interrupted else "INVALID"
    return Measurement(
        met[has_target], response_s[has_target], state, len(times.index), summary.get("request_errors", {})
    )
