"""The control channel between the parent and one child process: JSON lines over a socket pair.

If either side dies, the other reads end of file, so that no process has to be polled for being alive.
"""

import contextlib
import math
import select
import socket
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from collector.records.shared_memory import Descriptor

Message = dict[str, Any]


class Closed(Exception):
    """The other side has closed the channel, or died."""


class Channel:
    """One end of a control channel. Sending blocks (messages are small and rare), receiving never does.

    A Descriptor in a message is sent as its number, which a child that inherits it can use.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._pending = b""

    @classmethod
    def pair(cls) -> tuple["Channel", socket.socket]:
        """Create a channel: the parent's end, and the socket for the child to inherit."""
        ours, theirs = socket.socketpair()
        return cls(ours), theirs

    @classmethod
    def inherited(cls, descriptor: int) -> "Channel":
        """Open the child's end from the descriptor that it inherited."""
        return cls(socket.socket(fileno=descriptor))

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._end.fileno()

    def send(self, kind: str, **fields: Any) -> None:
        """Send one message. Does nothing if the other side has closed: `receive` raises Closed then."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._end.sendall(orjson.dumps({"kind": kind, **fields}, default=Descriptor.fileno) + b"\n")

    def receive(self) -> Iterator[Message]:
        """Yield the messages received so far; raise Closed after the last one if the other side has closed."""
        closed = False
        while True:
            try:
                piece = self._end.recv(1 << 20, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            except ConnectionResetError:
                piece = b""
            if not piece:
                closed = True
                break
            self._pending += piece
        *lines, self._pending = self._pending.split(b"\n")
        yield from map(orjson.loads, lines)
        if closed:
            raise Closed

    def close(self) -> None:
        """Close this end."""
        self._end.close()


def readable(descriptors: Iterable[int], timeout_s: float | None = None) -> set[int]:
    """Wait, at most `timeout_s`, until any is readable or closed; return those. No limit of 1,024."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(None if timeout_s is None else math.ceil(timeout_s * 1000))}
