"""A deadline that interrupts whatever is running: a run, a warm-up, or a wait before either."""

import os
import signal
import time
from types import FrameType, TracebackType
from typing import Final

SHUTDOWN_S: Final = 4.0  # a run that is interrupted twice needs this long to cancel requests and to write its result
_REPEAT_S: Final = 0.3


class Deadline:
    """Sends this process SIGINT at `at_s` (time.monotonic), which ends a run, and once more to end its grace period.

    For the main thread. `expired` tells this interrupt from a Ctrl-C at the keyboard.
    """

    def __init__(self, at_s: float) -> None:
        self._at_s = at_s
        self._alarms = 0

    @property
    def expired(self) -> bool:
        """Whether it has passed."""
        return self._alarms > 0

    def __enter__(self) -> "Deadline":
        self._outer_sigint = signal.getsignal(signal.SIGINT)
        if self._outer_sigint is signal.SIG_IGN:  # as shells set it for background jobs, where the limit holds too
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self._sigint = signal.getsignal(signal.SIGINT)
        self._outer_sigalrm = signal.signal(signal.SIGALRM, self._interrupt)
        signal.setitimer(signal.ITIMER_REAL, max(self._at_s - time.monotonic(), 0.001), _REPEAT_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Swallow the KeyboardInterrupt that the deadline itself caused."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._outer_sigalrm)
        signal.signal(signal.SIGINT, self._outer_sigint)
        return self.expired and kind is KeyboardInterrupt

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        self._alarms += 1
        if self._alarms == 2:
            signal.setitimer(signal.ITIMER_REAL, 0)
        # the second only where a run handles SIGINT: anywhere else it would cut a clean-up short
        if self._alarms == 1 or signal.getsignal(signal.SIGINT) is not self._sigint:
            os.kill(os.getpid(), signal.SIGINT)
