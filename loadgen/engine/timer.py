"""The timer: wakes an event loop at an absolute time, finer than the loop's own timers (1 ms in libuv)."""

import asyncio
import ctypes
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from loadgen.clock import SECOND_NS, now_ns

_CLOCK_MONOTONIC, _TFD_TIMER_ABSTIME = 1, 1


class Timer(Protocol):
    """Calls back once, at or shortly after the last time that was set (CLOCK_MONOTONIC ns)."""

    name: str

    def set(self, time_ns: int) -> None:
        """Call back at `time_ns`, instead of any time set before."""

    def close(self) -> None:
        """Cancel the timer and release its descriptor."""


class _Timespec(ctypes.Structure):
    _fields_ = [(name, ctypes.c_long) for name in ("interval_s", "interval_ns", "value_s", "value_ns")]


class TimerfdTimer:
    """A timerfd in the loop's selector: fires about 100 us late at the median."""

    name = "timerfd"

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._loop, self._callback = loop, callback
        self._spec = _Timespec()
        loop.add_reader(self._descriptor, self._expired)

    def set(self, time_ns: int) -> None:
        spec = self._spec
        spec.value_s, spec.value_ns = divmod(max(time_ns, 1), SECOND_NS)
        self._libc.timerfd_settime(self._descriptor, _TFD_TIMER_ABSTIME, ctypes.byref(spec), None)

    def close(self) -> None:
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _expired(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._descriptor, 8)
        self._callback()


class LoopTimer:
    """The loop's own timer, where there is no timerfd (macOS): about 1 ms late, never early."""

    name = "loop timer"

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        self._loop, self._callback = loop, callback
        self._handle: asyncio.TimerHandle | None = None
        self._time_ns = 0

    def set(self, time_ns: int) -> None:
        self.close()
        self._time_ns = time_ns
        self._handle = self._loop.call_later(max(time_ns - now_ns(), 0) / SECOND_NS, self._expired)

    def close(self) -> None:
        if self._handle:
            self._handle.cancel()

    def _expired(self) -> None:
        if now_ns() < self._time_ns:  # loop timers may fire early
            self.set(self._time_ns)
        else:
            self._callback()


def best_timer(
    loop: asyncio.AbstractEventLoop, callback: Callable[[], None], finest: Callable[..., Timer] = TimerfdTimer
) -> Timer:
    """Return the most precise timer of this system."""
    try:
        return finest(loop, callback)
    except (AttributeError, OSError):
        return LoopTimer(loop, callback)
