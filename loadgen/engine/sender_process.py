"""The sender process: an event loop with one sender, its sockets and its control channel.

python -m loadgen.engine.sender_process CHANNEL
"""

import asyncio
import os
import sys
from typing import Any, Final

import numpy as np
import uvloop
import zmq

from collector.records import shared_memory
from collector.records.control_channel import Channel, Closed, Message
from collector.records.record import Outcome
from collector.records.shared_counters import SharedCounters
from loadgen.backends import Backend, JobBackend, UrlBackend, backend_for
from loadgen.capture.answer_capture import AnswerCapture
from loadgen.capture.ring_buffer import RingBuffer
from loadgen.clock import now_ns
from loadgen.engine import job_deletes
from loadgen.engine.answer_handler import AnswerHandler, ExpectedMedia, error_of
from loadgen.engine.budget import Budget
from loadgen.engine.jobs import Jobs
from loadgen.engine.record_sender import EXAMPLE_CHARS, RecordSender
from loadgen.engine.sender import Sender
from loadgen.engine.url_answers import UrlAnswers
from loadgen.media.verification import HeaderVerifier
from loadgen.options import JobOptions
from loadgen.planning.request_store import RequestStore
from loadgen.secrets import Secrets
from loadgen.server.target import Target
from loadgen.system.cpu_affinity import apply_placement
from loadgen.system.process_tuning import tune_process
from loadgen.transport import make_transport
from loadgen.transport.interface import Answer, Transport
from loadgen.transport.replicas import Replicas

_FOREVER_S: Final = 1e8


class SenderProcess:
    """Builds the sender from the setup message, and passes it control messages and tokens."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._loop = asyncio.get_running_loop()
        self._jobs: list[Jobs] = []
        self.ended = self._loop.create_future()
        self._loop.add_reader(channel.fileno(), self._receive)

    def _receive(self) -> None:
        try:
            for message in self._channel.receive():
                self._handle(message)
        except Closed:
            self._end()

    def _handle(self, message: Message) -> None:
        match message["kind"]:
            case "setup":
                self._starting = self._loop.create_task(self._set_up(message))
                self._starting.add_done_callback(self._on_setup_done)
            case "open":
                self._opening = self._loop.create_task(self._open())
            case "warmup":
                self._warm_up(message["entry"], message["replica"], message["size"])
            case "start":
                tune_process()
                self._answer_handler.start()
                self._sender.start()
            case "stop":
                self._sender.stop()
            case "abandon":
                self._sender.abandon(Outcome[message["outcome"]])
            case "skip_deletes":
                for jobs in self._jobs:
                    jobs.deletes.skip()
            case "exit":
                self._end()

    async def _set_up(self, setup: dict[str, Any]) -> None:
        placement = apply_placement(setup)
        self._context = zmq.Context()  # its thread inherits the affinity
        number, targets = setup["number"], [Target.from_message(each) for each in setup["targets"]]
        self._store = RequestStore.attach(setup["store"])
        entries = shared_memory.attach(setup["entries"], np.int32).data
        shared_counters = SharedCounters.attach(setup["shared_counters"])
        budget = Budget(shared_counters, number, setup["max_concurrency"], setup["wakeups"])
        self._hide = Secrets(tuple(targets[0].secrets)).hide  # each target holds the secrets of all
        record_sender = RecordSender(
            self._loop, self._connect(zmq.PUSH, f"ipc://{setup['folder']}/records"), number, self._hide
        )
        capture = AnswerCapture(RingBuffer(setup["ring"]), setup["writer_wakeup"]) if setup["ring"] else None
        backend = backend_for(setup["backend"], setup["task"], setup["n"])
        self._transport = self._make_transport(backend, targets, setup)
        sizes = shared_memory.attach(setup["shapes"], np.int32).data
        expected = ExpectedMedia(setup["task"], setup["n"], lambda index: (sizes[4 * index], sizes[4 * index + 1]))
        verifier = None if setup["verify"] == "none" else HeaderVerifier(setup["task"], setup["verify_size"])
        self._answer_handler = AnswerHandler(backend, expected, record_sender, capture, verifier)
        self._sender = Sender(
            self._loop,
            self._transport,
            lambda index: self._store.request(entries[index], index % len(targets)),
            budget,
            shared_counters.sender_counters(number),
            self._answer_handler,
            self._timeout_s,
            setup["spin_us"],
        )
        self._sender.on_idle = self._on_idle
        self._watch_wakeup(setup["wakeup"])
        self._tokens = self._connect(zmq.PULL, f"ipc://{setup['folder']}/tokens-{number}")
        self._loop.add_reader(self._tokens.fileno(), self._take_tokens)
        self._connections: int = setup["connections"]
        opened = await self._transport.open(self._connections)
        self._channel.send(
            "ready", opened=opened, timer=self._sender.timer, transport=self._transport.name, **placement
        )

    def _make_transport(self, backend: Backend, targets: list[Target], setup: dict[str, Any]) -> Transport:
        """Make one transport per server; for a job API, wrap each in Jobs."""
        self._timeout_s: float | None = setup["timeout_s"]
        transports: list[Transport] = [make_transport(setup["transport"], target) for target in targets]
        if isinstance(backend, JobBackend):
            options, request_timeout_s = JobOptions(**setup["jobs"]), self._timeout_s
            self._timeout_s = options.timeout_s
            seeds = (f"polls {setup['seed']} {setup['number']} {replica}" for replica in range(len(transports)))
            pairs = zip(transports, seeds, strict=True)
            self._jobs = [Jobs(each, backend, options, request_timeout_s, seed, self._remark) for each, seed in pairs]
            transports = [*self._jobs]
        elif setup["response_format"] == "url" and isinstance(backend, UrlBackend):
            pairs_of_urls = zip(transports, targets, strict=True)
            transports = [UrlAnswers(each, backend, target.origin, target.prefix) for each, target in pairs_of_urls]
        return transports[0] if len(transports) == 1 else Replicas(transports)

    def _on_idle(self) -> None:
        self._idling = self._loop.create_task(self._report_idle())

    async def _report_idle(self) -> None:
        """Report the end, once no job of this sender is left on the server; `waiting` says what that waits for."""
        waiting = job_deletes.total([jobs.deletes.waiting for jobs in self._jobs])
        if any(waiting.values()):
            self._channel.send("waiting", **waiting, limit_s=max(jobs.deletes.limit_s for jobs in self._jobs))
        left = job_deletes.total(await asyncio.gather(*(jobs.deletes.finish() for jobs in self._jobs)))
        if words := sorted(set().union(*(jobs.unknown_words for jobs in self._jobs))):
            left["unknown_states"] = words
        self._channel.send("idle", **left, **self._answer_handler.close(), **self._sender.figures())

    def _remark(self, text: str) -> None:
        self._channel.send("remark", text=self._hide(text))

    async def _open(self) -> None:
        self._channel.send("opened", opened=await self._transport.open(self._connections))

    def _on_setup_done(self, task: "asyncio.Task[None]") -> None:
        """End the process with the error if the setup failed."""
        if error := task.exception():
            self.ended.set_exception(error)

    def _connect(self, kind: int, address: str) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = self._context.socket(kind)
        socket.set_hwm(0)
        socket.setsockopt(zmq.LINGER, 2000)
        socket.connect(address)
        return socket

    def _watch_wakeup(self, wakeup: int) -> None:
        def on_wakeup() -> None:
            os.read(wakeup, 4096)
            self._sender.on_wakeup()

        os.set_blocking(wakeup, False)
        self._loop.add_reader(wakeup, on_wakeup)

    def _take_tokens(self) -> None:
        """Receive until EAGAIN: ZMQ_FD is edge-triggered."""
        while True:
            try:
                message = self._tokens.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._sender.take(message)

    def _warm_up(self, entry: int, replica: int, size: list[int]) -> None:
        """Send one request outside the plan, for media of `size` pixels (width, height); report it to the parent."""

        def done(answer: Answer) -> None:
            deadline.cancel()
            parsed = self._answer_handler.judge(answer, (size[0], size[1]))
            if answer.overdue:
                return report("timeout", "a request of the job took longer than --timeout", answer.done_ns)
            error = error_of(parsed, answer) if parsed.error else None
            return report(error, parsed.detail, answer.done_ns, len(answer.body))

        def overdue() -> None:
            exchange.abandon()
            report("timeout", f"no answer in {self._timeout_s:g} s", now_ns())

        def report(error: str | None, detail: str, done_ns: int, received: int = 0) -> None:
            figures = {"latency_ns": done_ns - exchange.sent_ns, "received": received}
            hidden = self._hide(detail)[:EXAMPLE_CHARS]
            self._channel.send("warmed", entry=entry, replica=replica, error=error, detail=hidden, **figures)

        exchange = self._transport.send(self._store.request(entry, replica), done)
        deadline = self._loop.call_later(_FOREVER_S if self._timeout_s is None else self._timeout_s, overdue)

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    async def close(self) -> None:
        """Send the remaining records; the system closes the connections."""
        if hasattr(self, "_context"):
            self._context.destroy(linger=2000)


async def _main(channel: Channel) -> None:
    process = SenderProcess(channel)
    await process.ended
    await process.close()


if __name__ == "__main__":
    uvloop.run(_main(Channel.inherited(int(sys.argv[1]))))
