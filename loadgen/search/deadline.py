"""A deadline that ends what is under way: a run, a warm-up, or a wait before either."""

import os
import signal
import time
from types import FrameType, TracebackType
from typing import Final

PUT_AWAY_S: Final = (
    4.0  # a run that is stopped twice takes this long to give up what is in flight and to close its books
)
_AGAIN_S: Final = 0.3


class Deadline:
    """At `at_s` (of time.monotonic) gives this process the Ctrl-C that ends a run, and a second that cuts its grace.

    For the main thread. `over` says that the signal was this one's, and not somebody's at the keyboard.
    """

    def __init__(self, at_s: float) -> None:
        self._at_s = at_s
        self._rung = 0

    @property
    def over(self) -> bool:
        """Whether it has passed."""
        return self._rung > 0

    def __enter__(self) -> "Deadline":
        self._given = signal.getsignal(signal.SIGINT)
        if self._given is signal.SIG_IGN:  # as a shell has it for what runs in the background; a budget ends there too
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self._plain = signal.getsignal(signal.SIGINT)
        self._before = signal.signal(signal.SIGALRM, self._ring)
        signal.setitimer(signal.ITIMER_REAL, max(self._at_s - time.monotonic(), 0.001), _AGAIN_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Swallow the KeyboardInterrupt that it caused itself."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)
        signal.signal(signal.SIGINT, self._given)
        return self.over and kind is KeyboardInterrupt

    def _ring(self, _number: int, _frame: FrameType | None) -> None:
        self._rung += 1
        if self._rung == 2:
            signal.setitimer(signal.ITIMER_REAL, 0)
        if self._rung == 1 or signal.getsignal(signal.SIGINT) is not self._plain:  # else it would cut a clean-up short
            os.kill(os.getpid(), signal.SIGINT)
