"""Fault injection of the simulated server."""

import random
import socket
import struct
from collections import Counter
from enum import Enum
from typing import Final

from aiohttp import web

from loadgen.simulator.engine.options import SimulatorOptions, http_shares


class Fault(Enum):
    """What happens to a request instead of a normal answer."""

    NONE = "none"
    FAIL = "fail"  # HTTP 500; a job ends as `failed`
    STALL = "stall"  # no answer, the connection stays open; a job never ends
    RESET = "reset"  # TCP reset
    CUT = "cut"  # half the body, then the end of the connection
    GARBAGE = "garbage"  # bytes that are not HTTP


class Faults:
    """Draws one fault per request, in order of arrival, from its own random stream; service times stay the same."""

    def __init__(self, options: SimulatorOptions) -> None:
        self._random = random.Random(f"faults {options.seed}")
        self._shares: tuple[tuple[Fault | int, float], ...] = (
            (Fault.FAIL, options.fail_rate),
            (Fault.STALL, options.stall),
            (Fault.RESET, options.reset_rate),
            (Fault.CUT, options.cut_rate),
            (Fault.GARBAGE, options.garbage_rate),
            *http_shares(options.http_errors),
        )
        self._fail_prompt = options.fail_prompt
        self.drawn: Counter[str] = Counter()  # by name, or status

    def draw(self, prompt: str = "") -> Fault | int:
        """Return the fault of the next request, or the HTTP status that `--http-errors` gives it."""
        if self._fail_prompt and self._fail_prompt in prompt:
            self.drawn[Fault.FAIL.value] += 1
            return Fault.FAIL
        draw = self._random.random()
        for fault, share in self._shares:
            if draw < share:
                self.drawn[fault.value if isinstance(fault, Fault) else str(fault)] += 1
                return fault
            draw -= share
        return Fault.NONE


_CUT: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2000\r\n\r\n" + b" " * 1000
_GARBAGE: Final = b"\x16\x03\x01 this is not HTTP\r\n\r\n"


def inject(request: web.BaseRequest, fault: Fault) -> None:
    """Apply RESET, CUT or GARBAGE to the connection of `request`, bypassing aiohttp."""
    if fault is Fault.RESET:
        reset(request)
    elif (transport := request.transport) is not None:
        transport.write(_CUT if fault is Fault.CUT else _GARBAGE)
        transport.close()


def reset(request: web.BaseRequest) -> None:
    """Close the connection of `request` by a TCP reset: SO_LINGER 0 drops unsent data."""
    if (transport := request.transport) is None:
        return
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
