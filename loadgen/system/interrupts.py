"""Interrupts: SIGINT, SIGTERM and SIGHUP as a counter and a descriptor, instead of an exception at any point."""

import signal
import socket
import threading
from types import FrameType, TracebackType

from loadgen.clock import now_ns


class Interrupts:
    """Counts the signals between `arm` and the end of the context; each one makes `fileno` readable.

    Only the main thread can handle signals: in any other thread `arm` does nothing.
    """

    def __init__(self) -> None:
        self.count = 0
        self.first_ns: int | None = None
        self._read, self._write = socket.socketpair()
        self._write.setblocking(False)
        self._previous_handlers: dict[int, object] = {}
        self._previous_wakeup_fd = -1

    def __enter__(self) -> "Interrupts":
        return self

    def arm(self) -> None:
        """Install the handlers: from here on signals are counted and raise nothing."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                self._previous_handlers[number] = signal.signal(number, self._on_signal)
            self._previous_wakeup_fd = signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._previous_handlers:
            signal.set_wakeup_fd(self._previous_wakeup_fd)
            for number, handler in self._previous_handlers.items():
                signal.signal(number, handler)  # type: ignore[arg-type]
        self._read.close()
        self._write.close()

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._read.fileno()

    def drain(self) -> None:
        """Clear the readiness of `fileno`."""
        self._read.setblocking(False)
        try:
            self._read.recv(64)
        except BlockingIOError:
            return

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
        self.first_ns = self.first_ns or now_ns()
