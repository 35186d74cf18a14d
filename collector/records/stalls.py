"""Hiccups of the machine: moments at which a process that only sleeps was woken late, and what they explain."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

STALL: Final = np.dtype(
    [("core", "<u2"), ("at_ns", "<i8"), ("late_ns", "<i8")]
)  # due at `at_ns`, woken `late_ns` later

Stalls = NDArray[Any]


def stalled_ns(stalls: Stalls, from_ns: NDArray[np.int64], until_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """How much of each span [from, until] lies within hiccups, of any core, or within the time to catch up with them.

    What piled up during a stall takes as long again to send where the sender has twice the speed that it needs, so a
    hiccup counts from when the sleeper was due until as long after its waking as it was late.
    """
    if not len(stalls):
        return np.zeros(len(from_ns), np.int64)
    begins, ends = _merged(stalls["at_ns"], stalls["at_ns"] + 2 * stalls["late_ns"])
    return _covered(begins, ends, until_ns) - _covered(begins, ends, from_ns)


def _merged(begins: NDArray[np.int64], ends: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Unite spans that overlap; both results ascend."""
    order = np.argsort(begins, kind="stable")
    begins, reach = begins[order], np.maximum.accumulate(ends[order])
    fresh = np.concatenate([[True], begins[1:] > reach[:-1]])
    return begins[fresh], reach[np.concatenate([np.flatnonzero(fresh)[1:] - 1, [len(reach) - 1]])]


def _covered(begins: NDArray[np.int64], ends: NDArray[np.int64], time_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Total length of the spans before each time."""
    before = np.concatenate([[0], np.cumsum(ends - begins)])
    place = np.searchsorted(begins, time_ns, side="right")
    last = np.maximum(place - 1, 0)
    inside = np.where(place > 0, np.maximum(ends[last] - time_ns, 0), 0)
    covered: NDArray[np.int64] = before[place] - inside
    return covered
