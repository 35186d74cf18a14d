"""The scheduler by itself: what it emits, when, and to whom."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest
import zmq

from collector.records import shared_memory
from loadgen.clock import now_ns
from loadgen.engine.scheduler import BATCH_NS, LEAD_NS, Scheduler
from loadgen.engine.tokens import TOKEN


def made(folder: Path, arrivals_ns: list[int], senders: int) -> tuple[Scheduler, shared_memory.Descriptor]:
    memory = shared_memory.share(np.array(arrivals_ns, np.int64))
    return Scheduler({"arrivals": memory.fileno(), "folder": str(folder), "senders": senders}), memory


def taken(context: "zmq.Context[zmq.Socket[bytes]]", folder: Path, sender: int) -> "zmq.Socket[bytes]":
    socket: zmq.Socket[bytes] = context.socket(zmq.PULL)
    socket.connect(f"ipc://{folder}/tokens-{sender}")
    return socket


def indices(socket: "zmq.Socket[bytes]") -> list[int]:
    assert socket.poll(10_000)
    found: list[int] = np.frombuffer(socket.recv(), TOKEN)["index"].tolist()
    return found


def test_requests_go_to_the_senders_in_turn_whatever_the_cut_of_a_batch(tmp_path: Path) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    later = LEAD_NS + BATCH_NS + 3_600_000_000_000
    scheduler, _memory = made(tmp_path, [0, 0, 0, 0, later], 3)
    sockets = [taken(context, tmp_path, k) for k in range(3)]
    scheduler.start(now_ns())
    wait_s = scheduler.emit()
    assert [indices(socket) for socket in sockets] == [[0, 3], [1], [2]]
    assert wait_s is not None
    assert wait_s > 3000  # the last is an hour away, and nothing leaves before its lead
    scheduler.stop()
    assert scheduler.emit() is None
    scheduler.close()
    context.destroy()


def test_a_sender_whose_connection_is_late_loses_no_token(tmp_path: Path) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    scheduler, _memory = made(tmp_path, [0, 0], 1)
    found: list[int] = []

    def connect_late() -> None:
        time.sleep(0.3)
        found.extend(indices(taken(context, tmp_path, 0)))

    sender = threading.Thread(target=connect_late)
    sender.start()
    scheduler.start(now_ns())
    scheduler.emit()
    sender.join(30)
    assert found == [0, 1]
    scheduler.close()
    context.destroy()


@pytest.mark.parametrize("ahead_s", [0.0, 5.0])
def test_tokens_carry_absolute_times(tmp_path: Path, ahead_s: float) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    started_ns = now_ns() + int(ahead_s * 1e9)
    scheduler, _memory = made(tmp_path, [0, 5], 1)
    socket = taken(context, tmp_path, 0)
    scheduler.start(started_ns)
    if ahead_s:
        assert scheduler.emit() is not None
        assert not socket.poll(50)
    else:
        scheduler.emit()
        assert np.frombuffer(socket.recv(), TOKEN)["scheduled_ns"].tolist() == [started_ns, started_ns + 5]
    scheduler.close()
    context.destroy()
