"""The baseline of polling: an event loop that writes prepared bytes at the same rate and only counts them.

It pays for uvloop and the kernel: a timer, a write, two wake-ups and a read for each poll. The rest is this tool's cost.
"""

import asyncio
import os
from dataclasses import dataclass
from typing import cast

from loadgen.backends import videos
from loadgen.engine.poll_intervals import Polling
from loadgen.server.target import Target
from loadgen.transport.answer_reader import SCRATCH
from loadgen.transport.request_head import RequestHeads


@dataclass(slots=True)
class Baseline:
    """State that all connections share; `sent` counts polls."""

    polling: Polling
    head: bytes
    buffer: memoryview
    sent: int = 0

    @classmethod
    async def open(cls, target: Target, connections: int, polling: Polling) -> "tuple[Baseline, list[_Connection]]":
        """Open so many connections, each of which polls until it is closed."""
        shared = cls(polling, RequestHeads(target).of(videos.poll("video_1")), memoryview(bytearray(SCRATCH)))
        create = asyncio.get_running_loop().create_connection
        made = [await create(lambda: _Connection(shared), target.address, target.port) for _ in range(connections)]
        return shared, [connection for _, connection in made]


class _Connection(asyncio.BufferedProtocol):
    """Polls, and polls again some time after each answer."""

    def __init__(self, shared: Baseline) -> None:
        self._shared, self._loop = shared, asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._descriptor: int = transport.get_extra_info("socket").fileno()
        self._timer = self._loop.call_later(self._shared.polling.first_s(0), self._poll)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._shared.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._timer = self._loop.call_later(self._shared.polling.next_s(0), self._poll)

    def _poll(self) -> None:
        self._shared.sent += 1
        os.write(self._descriptor, self._shared.head)

    def close(self) -> None:
        """Poll no more."""
        self._timer.cancel()
        self._transport.abort()
