"""The probe: about how many requests a second a server does at most, before anything is known of it."""

from typing import Final

from loadgen.errors import WarmupError
from loadgen.sweeps.runner import Runner

EACH: Final = 8  # requests a place in flight
MOST: Final = 128  # in flight
_RISES: Final = 1.25  # times the throughput before: else more in flight brings no more


def capacity(runner: Runner) -> float:
    """Measure requests/s in a closed loop with 1, 2, 4, ... in flight, until that brings less than a quarter more.

    Each of them sends 8 requests a place. The most that was seen is a rough figure, from which rates are chosen and
    nothing is concluded. Raises WarmupError where no request succeeded.
    """
    most, in_flight = 0.0, 1
    while in_flight <= min(MOST, runner.options.traffic.max_concurrency):
        measured = runner.closed(in_flight, EACH * in_flight)
        if measured.interrupted:
            raise KeyboardInterrupt
        found = measured.result["throughput_qps"] or 0.0
        if found < _RISES * most or not found:
            break
        most, in_flight = found, 2 * in_flight
    if not max(most, found):
        raise WarmupError("no request of the probe succeeded, so no rate can be chosen; see to the server")
    return max(most, found)
