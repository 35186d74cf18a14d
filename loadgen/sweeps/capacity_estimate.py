"""The capacity estimate: about how many requests per second a server can do at most."""

from typing import Final

from loadgen.errors import WarmupError
from loadgen.sweeps.runner import Runner

REQUESTS_PER_SLOT: Final = 8  # a slot is one of the requests in flight
MAX_IN_FLIGHT: Final = 128
_MIN_GAIN: Final = 1.25  # in throughput, for twice as many in flight: else the server is saturated


def capacity(runner: Runner) -> float:
    """Measure the throughput in a closed loop with 1, 2, 4, ... in flight, until doubling adds less than a quarter.

    Each step sends 8 requests per slot. The highest throughput (requests/s) is a rough figure, only used to choose
    rates. Raises WarmupError if no request succeeded.
    """
    highest, in_flight = 0.0, 1
    while in_flight <= min(MAX_IN_FLIGHT, runner.options.traffic.max_concurrency):
        completed = runner.run_closed_loop(in_flight, REQUESTS_PER_SLOT * in_flight)
        if completed.interrupted:
            raise KeyboardInterrupt
        throughput = completed.result["throughput_qps"] or 0.0
        if throughput < _MIN_GAIN * highest or not throughput:
            break
        highest, in_flight = throughput, 2 * in_flight
    if not max(highest, throughput):
        raise WarmupError("no request of the capacity estimate succeeded, so no rate can be chosen; check the server")
    return max(highest, throughput)
