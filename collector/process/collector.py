"""The collector process: receives records, keeps the live figures, and computes the figures at the end.

    python -m collector.process.collector CHANNEL

CHANNEL is the descriptor of its control channel to the parent.
"""

import gc
import math
import os
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import zmq

from collector.process.accounting import Accounting
from collector.process.live_figures import LiveFigures
from collector.records.control_channel import Channel, Closed, Message
from collector.records.messages import NOTES, RECORDS
from collector.records.record import RECORD
from collector.records.resource_usage import ResourceUsage
from collector.saved.run_folder_writer import RunFolder

SNAPSHOT_S: Final = 0.2
LATE_RECORDS_S: Final = 3.0  # how long to wait at the end for records still in transit
MAX_BATCH: Final = 256  # messages; then the control channel gets its turn


class Collector:
    """Receives records and notes, and reports progress and figures to the parent."""

    def __init__(self, setup: dict[str, Any], channel: Channel) -> None:
        self._setup, self._channel = setup, channel
        self.accounting = Accounting(setup)
        self._live: LiveFigures | None = None
        self._folder = RunFolder(Path(setup["run_dir"])) if setup["run_dir"] else None
        self._started_ns = 0
        self._complete_sent = False
        self._usage, self._most_at_once = ResourceUsage(), 0
        self._next_snapshot = 0.0
        self._context = zmq.Context()
        self.socket: zmq.Socket[bytes] = self._context.socket(zmq.PULL)
        self.socket.set_hwm(0)
        self.socket.bind(f"ipc://{setup['folder']}/records")

    def start(self, started_ns: int) -> None:
        """Start the live figures; time zero is `started_ns`."""
        self._started_ns = started_ns
        parameters = self._setup["parameters"]
        self._live = LiveFigures(
            planned=self.accounting.planned,
            asked_rate=float(parameters["asked_rate"]),
            last_arrival_s=self.accounting.last_arrival_s,
            started_ns=started_ns,
            latency_from=parameters["latency_from"],
        )
        self._usage = ResourceUsage()
        gc.collect()
        gc.freeze()

    def receive(self) -> None:
        """Receive what is waiting on the socket, up to `MAX_BATCH` messages."""
        for received in range(MAX_BATCH):
            try:
                message = self.socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._most_at_once = max(self._most_at_once, received + 1)
            if message[:1] == RECORDS:
                self._record(np.frombuffer(message, RECORD, offset=1))
            elif message[:1] == NOTES:
                self._note(orjson.loads(memoryview(message)[1:]))

    def _record(self, batch: np.ndarray[Any, np.dtype[np.void]]) -> None:
        self.accounting.record_file.append(batch)
        if self._live:
            self._live.add(batch)

    def _note(self, notes: list[tuple[int, dict[str, Any]]]) -> None:
        for index, note in notes:
            self.accounting.notes.take(note)
            if self._folder:
                self._folder.note(index, note)

    def report(self) -> None:
        """Send the parent a snapshot every `SNAPSHOT_S`, and one message when every record has arrived."""
        complete = self.accounting.complete() and not self._complete_sent
        if self._live and (complete or time.monotonic() >= self._next_snapshot):
            self._next_snapshot = time.monotonic() + SNAPSHOT_S
            self._send_snapshot(self._live)
        if complete:
            self._complete_sent = True
            self._channel.send("complete")

    def _send_snapshot(self, live: LiveFigures) -> None:
        shared_counters = self.accounting.shared_counters
        sent = shared_counters.sent()
        snapshot = live.snapshot(time.monotonic_ns(), sent, shared_counters.finished(), shared_counters.send_times)
        if storm := snapshot["storm"]:
            storm["example"] = self.accounting.notes.error_examples.get(storm["error"])
        self._channel.send("snapshot", **snapshot)
        if self._folder:
            self._folder.save_send_times(shared_counters.send_times, sent)

    def finish(self, ending: Mapping[str, Any], refused: list[tuple[int, str]]) -> None:
        """Wait for records still in transit, then compute the figures and send them to the parent."""
        deadline = time.monotonic() + (LATE_RECORDS_S / 3 if ending["died"] else LATE_RECORDS_S)
        while (
            self.accounting.record_file.count < self.accounting.shared_counters.finished()
            and time.monotonic() < deadline
        ):
            self.socket.poll(50)
            self.receive()
        if self._folder:
            self._folder.save_send_times(
                self.accounting.shared_counters.send_times, self.accounting.shared_counters.sent(), whole=True
            )
        if (note := self.accounting.refuse(refused)) and self._folder:
            self._folder.note(refused[0][0], note)
        figures = self.accounting.close(self._started_ns, ending)
        usage = {**self._usage.figures(), "max_batch": self._most_at_once}
        faults = [self.accounting.record_file.fault, self._folder.fault if self._folder else None]
        unwritten = ", ".join(filter(None, faults)) or None
        self._channel.send("figures", figures=figures, usage=usage, unwritten=unwritten)

    def close(self) -> None:
        """Remove the folder of sockets: a parent that was killed cannot."""
        self._context.destroy(linger=0)
        shutil.rmtree(self._setup["folder"], ignore_errors=True)


def main(descriptor: int) -> None:
    """Run until the parent sends `exit` or closes the channel."""
    channel = Channel.inherited(descriptor)
    poller = zmq.Poller()
    poller.register(channel.fileno(), zmq.POLLIN)
    collector: Collector | None = None
    while True:
        poller.poll(math.ceil(SNAPSHOT_S * 1000))
        try:
            for message in channel.receive():
                collector = _handle(message, collector, channel, poller)
        except Closed:
            if collector:
                collector.close()
            return
        if collector:
            collector.receive()
            collector.report()


def _handle(message: Message, collector: Collector | None, channel: Channel, poller: zmq.Poller) -> Collector:
    kind = message["kind"]
    if kind == "setup":
        if message["cores"]:
            os.sched_setaffinity(0, message["cores"])
        collector = _set_up(message, channel)
        poller.register(collector.socket, zmq.POLLIN)
        channel.send("ready", cores=message["cores"])
    elif kind == "exit" or collector is None:
        raise Closed
    elif kind == "start":
        collector.start(message["started_ns"])
    elif kind == "finish":
        collector.finish(message["ending"], message["refused"])
    return collector


def _set_up(setup: Message, channel: Channel) -> Collector:
    """Create a collector; on failure remove the folder of sockets, since the parent may be dead."""
    try:
        return Collector(setup, channel)
    except OSError:
        shutil.rmtree(setup["folder"], ignore_errors=True)
        raise


if __name__ == "__main__":
    main(int(sys.argv[1]))
