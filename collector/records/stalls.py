"""Scheduling stalls of the machine: times at which a sleeping process was woken late, and the lag they explain."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

STALL: Final = np.dtype(
    [("core", "<u2"), ("at_ns", "<i8"), ("late_ns", "<i8")]
)  # due at `at_ns`, woken `late_ns` later

Stalls = NDArray[Any]


def stalled_ns(stalls: Stalls, from_ns: NDArray[np.int64], until_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """How much of each interval [from, until] lies within stalls, of any core, or within the time to catch up.

    A sender with twice the speed that it needs takes as long as the stall to send what piled up, so a stall of length d
    counts for 2 d from the time at which the sleeping process was due.
    """
    if not len(stalls):
        return np.zeros(len(from_ns), np.int64)
    begins, ends = _merged(stalls["at_ns"], stalls["at_ns"] + 2 * stalls["late_ns"])
    return _covered(begins, ends, until_ns) - _covered(begins, ends, from_ns)


def _merged(begins: NDArray[np.int64], ends: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Merge intervals that overlap; both results are in ascending order."""
    order = np.argsort(begins, kind="stable")
    begins, latest = begins[order], np.maximum.accumulate(ends[order])
    starts_new = np.concatenate([[True], begins[1:] > latest[:-1]])
    return begins[starts_new], latest[np.concatenate([np.flatnonzero(starts_new)[1:] - 1, [len(latest) - 1]])]


def _covered(begins: NDArray[np.int64], ends: NDArray[np.int64], time_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Total length of the intervals before each time."""
    before = np.concatenate([[0], np.cumsum(ends - begins)])
    place = np.searchsorted(begins, time_ns, side="right")
    last = np.maximum(place - 1, 0)
    inside = np.where(place > 0, np.maximum(ends[last] - time_ns, 0), 0)
    covered: NDArray[np.int64] = before[place] - inside
    return covered
