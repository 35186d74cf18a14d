"""Faults that the simulated server commits on purpose."""

import random
import socket
import struct
from enum import Enum

from aiohttp import web

from loadgen.simulator.options import SimulatorOptions, http_shares


class Fault(Enum):
    """What happens to a request instead of an answer."""

    NONE = "none"
    FAIL = "fail"  # HTTP 500; for a job, the end `failed`
    STALL = "stall"  # no answer, the connection stays open; a job never ends
    RESET = "reset"  # TCP reset


class Faults:
    """Draws one fault per request, in order of arrival, from a seed of its own so that service times stay the same."""

    def __init__(self, options: SimulatorOptions) -> None:
        self._random = random.Random(f"faults {options.seed}")
        self._shares: tuple[tuple[Fault | int, float], ...] = (
            (Fault.FAIL, options.fail_rate),
            (Fault.STALL, options.stall),
            (Fault.RESET, options.reset_rate),
            *http_shares(options.http_errors),
        )

    def draw(self) -> Fault | int:
        """Say what befalls the next request: a fault, or a status of `--http-errors`."""
        left = self._random.random()
        for fault, share in self._shares:
            if left < share:
                return fault
            left -= share
        return Fault.NONE


def reset(request: web.BaseRequest) -> None:
    """Close the connection of `request` by a TCP reset: no lingering, so that unsent data is dropped."""
    if (transport := request.transport) is None:
        return
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
