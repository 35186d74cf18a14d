"""The scheduler process: emits every token ahead of its time and never waits for another process.

    python -m loadgen.engine.scheduler CHANNEL

CHANNEL is the descriptor of its control channel to the parent. Request i goes to sender i mod N. Each token leaves
LEAD_NS before it is due, so that a stall of the machine up to that length delays no request.
"""

import sys
from contextlib import suppress
from typing import Any, Final

import numpy as np
import zmq
from numpy.typing import NDArray

from collector.records import shared_memory
from collector.records.control_channel import Channel, Closed, Message, readable
from collector.records.resource_usage import ResourceUsage
from loadgen.clock import SECOND_NS, now_ns
from loadgen.engine.tokens import TOKEN
from loadgen.system.cpu_affinity import apply_placement
from loadgen.system.process_tuning import tune_process

LEAD_NS: Final = 250_000_000  # a token leaves this long before it is due
PEER_MS: Final = 10_000  # before time zero only: a PUSH socket without a peer takes no message
BATCH_NS: Final = 20_000_000  # of the schedule in one batch, or all that is due


class Scheduler:
    """Holds the arrival times and the sockets to the senders."""

    def __init__(self, setup: dict[str, Any]) -> None:
        self._arrivals: NDArray[np.int64] = shared_memory.attach(setup["arrivals"], np.int64)
        self._context = zmq.Context()
        self._sockets = [self._bind(f"ipc://{setup['folder']}/tokens-{k}") for k in range(setup["senders"])]
        self._next = 0
        self._started_ns: int | None = None
        self._least_lead_ns: int | None = None
        self._usage = ResourceUsage()

    def _bind(self, address: str) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = self._context.socket(zmq.PUSH)
        socket.set_hwm(0)  # no high-water mark: a full queue would block the scheduler; the plan bounds it
        socket.setsockopt(zmq.LINGER, 0)
        socket.bind(address)
        return socket

    def start(self, started_ns: int) -> None:
        """Start to emit; time zero is `started_ns`."""
        for socket in self._sockets:  # a sender is "ready" before its connection is established
            if not socket.poll(PEER_MS, zmq.POLLOUT):
                raise RuntimeError(f"a sender did not connect to its token socket within {PEER_MS} ms")
        self._started_ns = started_ns
        tune_process()
        self._usage = ResourceUsage()

    def stop(self) -> dict[str, Any]:
        """Stop emitting; return the resource usage and the smallest lead of a token (s)."""
        self._next = len(self._arrivals)
        least_s = None if self._least_lead_ns is None else self._least_lead_ns / SECOND_NS
        return {**self._usage.figures(), "min_lead_s": least_s}

    def emit(self) -> float | None:
        """Emit the tokens due within the lead; return seconds until the next batch, None if there is none."""
        if self._started_ns is None or self._next == len(self._arrivals):
            return None
        elapsed_ns = now_ns() - self._started_ns
        until = int(np.searchsorted(self._arrivals, elapsed_ns + LEAD_NS + BATCH_NS))
        if until > self._next:
            self._send(self._next, until, self._started_ns)
            self._next = until
        if until == len(self._arrivals):
            return None
        return max(0.0, (int(self._arrivals[until]) - LEAD_NS - elapsed_ns) / SECOND_NS)

    def _send(self, first: int, until: int, started_ns: int) -> None:
        batch = np.empty(until - first, TOKEN)
        batch["index"] = np.arange(first, until)
        batch["scheduled_ns"] = self._arrivals[first:until] + started_ns
        lead_ns = int(batch["scheduled_ns"][0]) - now_ns()
        self._least_lead_ns = min(lead_ns, self._least_lead_ns if self._least_lead_ns is not None else lead_ns)
        senders = len(self._sockets)
        for k, socket in enumerate(self._sockets):
            own = batch[(k - first) % senders :: senders]
            if len(own):
                socket.send(own.tobytes(), zmq.NOBLOCK)

    def close(self) -> None:
        """Close the sockets; unsent tokens are dropped."""
        self._context.destroy()


def main(descriptor: int) -> None:
    """Run until the parent sends `exit` or closes the channel."""
    channel = Channel.inherited(descriptor)
    scheduler: Scheduler | None = None
    wait_s: float | None = None
    with suppress(Closed):
        while True:
            readable([channel.fileno()], wait_s)
            for message in channel.receive():
                scheduler = _handle(message, scheduler, channel)
            wait_s = scheduler.emit() if scheduler else None
    if scheduler:
        scheduler.close()


def _handle(message: Message, scheduler: Scheduler | None, channel: Channel) -> Scheduler:
    kind = message["kind"]
    if kind == "setup":
        placement = apply_placement(message)
        scheduler = Scheduler(message)
        channel.send("ready", **placement)
    elif kind == "exit" or scheduler is None:
        raise Closed
    elif kind == "start":
        scheduler.start(message["started_ns"])
    elif kind == "stop":
        channel.send("idle", **scheduler.stop())
    return scheduler


if __name__ == "__main__":
    main(int(sys.argv[1]))
