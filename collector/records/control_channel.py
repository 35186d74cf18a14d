"""The control line between the parent and one child: JSON objects, a line each, over a socket pair.

Whichever side dies, the other reads the end of the stream: no process has to be polled for life.
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
    """The other side has gone."""


class Channel:
    """One end of a control line. Sending blocks (messages are small and rare), receiving never does.

    A Descriptor in a message stands as its number, which a child that inherits it can use.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._pending = b""

    @classmethod
    def pair(cls) -> tuple["Channel", socket.socket]:
        """Make a control line: the parent's end, and the socket for the child to inherit."""
        mine, theirs = socket.socketpair()
        return cls(mine), theirs

    @classmethod
    def inherited(cls, descriptor: int) -> "Channel":
        """Take the child's end, which the parent passed on as an open descriptor."""
        return cls(socket.socket(fileno=descriptor))

    def fileno(self) -> int:
        """Descriptor to wait on."""
        return self._end.fileno()

    def send(self, kind: str, **fields: Any) -> None:
        """Send one message. Silent if the other side has gone: receiving will tell."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._end.sendall(orjson.dumps({"kind": kind, **fields}, default=Descriptor.fileno) + b"\n")

    def receive(self) -> Iterator[Message]:
        """Yield the messages that have come; raise Closed after the last one of a side that has gone."""
        gone = False
        while True:
            try:
                piece = self._end.recv(1 << 20, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            except ConnectionResetError:
                piece = b""
            if not piece:
                gone = True
                break
            self._pending += piece
        *lines, self._pending = self._pending.split(b"\n")
        yield from map(orjson.loads, lines)
        if gone:
            raise Closed

    def close(self) -> None:
        """Hang up."""
        self._end.close()


def readable(descriptors: Iterable[int], timeout_s: float | None = None) -> set[int]:
    """Wait until any of them can be read or has ended, or for so long; return those. A number may be however high."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(None if timeout_s is None else math.ceil(timeout_s * 1000))}
