"""Quiet processes: what keeps a process from pausing on its own during a run."""

import ctypes
import gc
import sys

_PR_SET_TIMERSLACK = 29


def tune_process() -> None:
    """No garbage collection from here on, and timers as sharp as the kernel has them."""
    gc.collect()
    gc.freeze()
    gc.disable()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
