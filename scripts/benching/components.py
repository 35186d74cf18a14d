"""Throughput of single components on one core, in isolation."""

import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import zmq

from collector.process.collector import Collector
from collector.records import shared_memory
from collector.records.control_channel import Channel
from collector.records.messages import RECORDS
from collector.records.record import RECORD
from collector.records.shared_counters import SharedCounters
from loadgen.backends import chat_completions
from loadgen.clock import SECOND_NS, now_ns
from loadgen.datasets.sample import Sample
from loadgen.engine.budget import Budget
from loadgen.engine.scheduler import BATCH_NS, Scheduler
from loadgen.transport.answer_reader import SCRATCH, AnswerReader
from loadgen.transport.buffer_pool import BufferPool
from scripts.benching.nginx import SMALL
from scripts.benching.table import markdown, number

COUNT = 1_000_000
BATCH = 30_000 * BATCH_NS // SECOND_NS
LEAST_S = 0.5


def measure() -> list[tuple[str, float]]:
    """Return (component, operations a second) of each."""
    return [
        ("scheduler: tokens", scheduler()),
        ("collector: records", collector()),
        ("encode: requests", encode()),
        ("parse: HTTP answers", answers()),
        ("read: chat bodies", bodies()),
        ("budget: admissions and completions", budget()),
    ]


def components_table() -> str:
    """Measure each component and return the table."""
    return markdown(("piece, in isolation", "a second"), [(piece, number(rate)) for piece, rate in measure()])


def scheduler() -> float:
    """Tokens that the scheduler emits and a sender's socket takes, in batches as 30,000/s makes them."""
    with tempfile.TemporaryDirectory() as folder:
        arrivals = shared_memory.share(np.zeros(COUNT, np.int64))
        emitter = Scheduler({"arrivals": arrivals.fileno(), "folder": folder, "senders": 1})
        context = zmq.Context()
        sink: zmq.Socket[bytes] = context.socket(zmq.PULL)
        sink.set_hwm(0)
        sink.connect(f"ipc://{folder}/tokens-0")
        time.sleep(0.2)
        emitter.start(now_ns())
        began = time.perf_counter()
        for first in range(0, COUNT, BATCH):  # emit() would send all that is due as one batch, which would be faster
            emitter._send(first, min(first + BATCH, COUNT), 0)
        taken = 0
        while taken < COUNT:
            taken += len(sink.recv()) // 16
        took_s = time.perf_counter() - began
        context.destroy()
        emitter.close()
        return COUNT / took_s


def collector() -> float:
    """Records that the collector takes off its socket, in batches as a sender at 25,000/s makes them."""
    batch = np.zeros(500, RECORD)
    batch["done_ns"] = np.random.default_rng(0).integers(1, 10**9, 500)
    message = RECORDS + batch.tobytes()
    with tempfile.TemporaryDirectory() as folder:
        memory = [
            shared_memory.allocate(count, kind) for count, kind in ((COUNT, "<i8"), (COUNT, "<f8"), (4 * COUNT, "<i4"))
        ]
        posted = SharedCounters.create(1, COUNT)
        shared_counters = {name: each.fileno() for name, each in posted.items()}
        record_file, stalls = shared_memory.anonymous_file(), shared_memory.anonymous_file()
        parameters = {"asked_rate": "1", "latency_from": "sent"}
        setup: dict[str, Any] = {
            "folder": folder, "run_dir": None, "parameters": parameters, "record_file": record_file.fileno(), "stalls": stalls.fileno(),
            "arrivals": memory[0].fileno(), "slo_ms": memory[1].fileno(), "shapes": memory[2].fileno(), "shared_counters": shared_counters,
        }  # fmt: skip
        taker = Collector(setup, Channel(socket.socketpair()[0]))
        taker.start(0)
        context = zmq.Context()
        source: zmq.Socket[bytes] = context.socket(zmq.PUSH)
        source.set_hwm(0)
        source.connect(f"ipc://{folder}/records")
        sender = threading.Thread(target=lambda: [source.send(message) for _ in range(COUNT // 500)])
        began = time.perf_counter()
        sender.start()
        while taker.accounting.record_file.count < COUNT:
            taker.socket.poll(100)
            taker.receive()
        took_s = time.perf_counter() - began
        sender.join()
        context.destroy()
        taker.close()
        Path(folder).mkdir(exist_ok=True)
        return COUNT / took_s


def encode() -> float:
    """Chat requests encoded from samples."""
    sample = Sample("a cat in the rain", width=512, height=512, num_inference_steps=20, seed=1)
    return _rate(lambda: chat_completions.encode(sample, "default", "t2i"))


def answers() -> float:
    """HTTP answers parsed off a connection's buffer."""
    body = orjson.dumps(SMALL)
    raw = (
        b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        + body
    )
    buffer = memoryview(bytearray(SCRATCH))
    buffer[: len(raw)] = raw
    reader = AnswerReader(buffer, BufferPool(), 1 << 30)

    def once() -> None:
        reader.begin()
        assert reader.received(len(raw))

    return _rate(once)


def bodies() -> float:
    """Chat answer bodies parsed."""
    body = orjson.dumps(SMALL)
    return _rate(lambda: chat_completions.read(body, "t2i"))


def budget() -> float:
    """Permits taken and given back, two senders in one process."""
    memory = SharedCounters.create(2, 1)
    shared_counters = SharedCounters.attach({name: each.fileno() for name, each in memory.items()})
    wakeup = os.open(os.devnull, os.O_WRONLY)
    mine = Budget(shared_counters, 0, 64, [wakeup, wakeup])
    index = 0

    def once() -> None:
        nonlocal index
        assert mine.admits(index)
        mine.finish()
        index += 1

    rate = _rate(once)
    os.close(wakeup)
    return rate


def _rate(once: Callable[[], object]) -> float:
    count, began = 0, time.perf_counter()
    while (took_s := time.perf_counter() - began) < LEAST_S:
        for _ in range(1000):
            once()
        count += 1000
    return count / took_s
