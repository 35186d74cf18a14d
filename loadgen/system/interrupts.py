"""Interrupts: Ctrl-C and SIGTERM as something to look at, instead of an exception in the middle of anything."""

import signal
import socket
import threading
from types import FrameType, TracebackType

from loadgen.clock import now_ns


class Interrupts:
    """Counts the signals that come between `arm` and its end; `fileno` becomes readable with each one.

    Signals reach the main thread only: elsewhere (a caller's own thread) nothing is changed and nothing comes.
    """

    def __init__(self) -> None:
        self.count = 0
        self.first_ns: int | None = None
        self._read, self._write = socket.socketpair()
        self._write.setblocking(False)
        self._before: dict[int, object] = {}
        self._wakeup = -1

    def __enter__(self) -> "Interrupts":
        return self

    def arm(self) -> None:
        """From here on a signal is counted, and raises nothing."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                self._before[number] = signal.signal(number, self._came)
            self._wakeup = signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before:
            signal.set_wakeup_fd(self._wakeup)
            for number, handler in self._before.items():
                signal.signal(number, handler)  # type: ignore[arg-type]
        self._read.close()
        self._write.close()

    def fileno(self) -> int:
        """Descriptor to wait on."""
        return self._read.fileno()

    def drain(self) -> None:
        """Make `fileno` quiet again."""
        self._read.setblocking(False)
        try:
            self._read.recv(64)
        except BlockingIOError:
            return

    def _came(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
        self.first_ns = self.first_ns or now_ns()
