"""A trial: what one run at one rate shows of the target."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.saved.run_folder import SavedRun
from collector.statistics.order_statistics import seconds
from collector.summary import slo
from collector.summary import times as clock

CUT: Final = 10  # the first 1/10 of a run is its transient, from an empty server


@dataclass(frozen=True, slots=True)
class Measurement:
    """One run at one rate, in schedule order.

    `met` bool[n] is whether each request that has a target met it, `response_s` float64[n] how long it took until it
    ended, however it did. `state` is the verdict of the run; only a VALID one may decide.
    """

    met: NDArray[np.bool_]
    response_s: NDArray[np.float64]
    state: str = "VALID"

    @property
    def steady(self) -> "Measurement":
        """The trial without its transient."""
        first = -(-len(self.met) // CUT)
        return Measurement(self.met[first:], self.response_s[first:], self.state)


def read_measurement(saved: SavedRun) -> Measurement:
    """Read a trial out of a saved run; an interrupted one is INVALID, since its end is not that of its requests."""
    info = saved.info
    times = clock.of_run(clock.first_records(saved.records, info.planned), info)
    counted, met = slo.judged(times, info)
    took_s = np.full(info.planned, np.nan)
    took_s[times.index] = seconds(times.latency_ns(info.latency_from))
    counted &= ~np.isnan(took_s)
    verdict = (saved.summary or {}).get("verdict", {})
    whole = saved.complete and not info.interrupted
    return Measurement(met[counted], took_s[counted], str(verdict.get("state", "INVALID")) if whole else "INVALID")
