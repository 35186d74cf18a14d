"""A whole sender in this process: a real transport, answer handler and record sender; only the collector is a list."""

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from collector.records.messages import NOTES
from collector.records.record import RECORD, Outcome, error_name
from collector.records.shared_counters import SharedCounters
from loadgen.backends import backend_for
from loadgen.bodies.request import Request
from loadgen.clock import now_ns
from loadgen.engine.answer_handler import AnswerHandler, ExpectedMedia
from loadgen.engine.budget import Budget
from loadgen.engine.record_sender import RecordSender
from loadgen.engine.sender import Sender
from loadgen.engine.tokens import TOKEN
from loadgen.options import TargetOptions
from loadgen.server.target import resolve
from loadgen.transport import make_transport
from loadgen.transport.interface import Transport
from tests.support.hostile import HostileServer

REQUEST = Request("POST", "/v1/images/generations", "application/json", b'{"prompt":"x"}')
SOON_S, LATE_S = 0.5, 15.0  # --timeout where it is what ends a request, and where it must not be
LIMIT = 100_000  # --max-body-bytes


class Wire:
    """The socket of the record sender: keeps the records and notes that a collector would get."""

    def __init__(self) -> None:
        self._rows: list[bytes] = []
        self.notes: list[dict[str, Any]] = []

    def send(self, message: bytes, _flags: int) -> None:
        if message[:1] == NOTES:
            self.notes += [note for _, note in orjson.loads(message[1:])]
        else:
            self._rows.append(message[1:])

    @property
    def records(self) -> NDArray[np.void]:
        return np.sort(np.frombuffer(b"".join(self._rows), RECORD), order="index")

    @property
    def examples(self) -> str:
        return " ".join(str(note.get("example")) for note in self.notes)


class Rig:
    """A sender with its own transport, answer handler and record sender."""

    def __init__(self, transport: Transport, planned: int, timeout_s: float) -> None:
        self.wire, self.planned = Wire(), planned
        self._memory = SharedCounters.create(1, planned)
        self.shared_counters = SharedCounters.attach({name: each.fileno() for name, each in self._memory.items()})
        loop = asyncio.get_running_loop()
        self.record_sender = RecordSender(loop, self.wire, 0)  # type: ignore[arg-type]
        self._sender = Sender(
            loop,
            transport,
            lambda _index: REQUEST,
            Budget(self.shared_counters, 0, planned, [-1]),
            self.shared_counters.sender_counters(0),
            AnswerHandler(backend_for("openai", "t2i"), ExpectedMedia("t2i"), self.record_sender),
            timeout_s,
            0,
        )

    async def run(self, gap_ns: int = 0) -> Wire:
        """Send all that is planned and wait until each has ended."""
        tokens = np.empty(self.planned, TOKEN)
        tokens["index"] = np.arange(self.planned)
        tokens["scheduled_ns"] = now_ns() + tokens["index"].astype(np.int64) * gap_ns
        self._sender.take(tokens.tobytes())
        async with asyncio.timeout(2 * LATE_S):
            while self.shared_counters.finished() < self.planned:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.03)  # whoever ends a request twice does it now
        self.record_sender.flush()
        return self.wire


def transport_to(server: HostileServer, name: str, scheme: str = "http") -> Transport:
    url = f"{scheme}://127.0.0.1:{server.port}"
    return make_transport(name, resolve(TargetOptions(base_url=url, max_body_bytes=LIMIT, insecure=True)))


def check_stamps(records: NDArray[np.void], planned: int, begun: bool | None) -> None:
    """Each request has one record, and nothing in it happened before its cause."""
    assert records["index"].tolist() == list(range(planned))
    for row in records:
        assert row["scheduled_ns"] <= row["sent_ns"] <= row["done_ns"]
        if row["first_byte_ns"]:
            assert row["sent_ns"] <= row["first_byte_ns"] <= row["done_ns"]
        if begun is not None:
            assert bool(row["first_byte_ns"]) == begun


def names(records: NDArray[np.void]) -> set[str]:
    """What a report calls the ends of these requests."""
    ends = {(int(row["outcome"]), int(row["error"]), int(row["status"])) for row in records}
    return {
        error_name(error, status) if outcome == Outcome.ERROR else Outcome(outcome).name.lower()
        for outcome, error, status in ends
    }


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(LATE_S):
        while not reached():
            await asyncio.sleep(0.001)
