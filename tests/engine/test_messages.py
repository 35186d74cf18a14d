"""Messages between processes: tokens, control channels, shared memory, the record file, the record sender."""

import os
import struct
from typing import Any

import numpy as np
import pytest

from collector.records import shared_memory
from collector.records.control_channel import Channel, Closed, Message, readable
from collector.records.record import JOB_TIMES, RECORD, ErrorKind, Outcome, error_name, error_names
from collector.records.record_file import RecordFile
from loadgen.bodies.request import Request
from loadgen.engine.record_sender import RecordSender
from loadgen.engine.tokens import CHUNK, TOKEN, TokenQueue
from loadgen.media.headers import MediaInfo
from loadgen.planning.request_store import RequestStore, RequestStoreWriter
from loadgen.system.file_descriptors import raise_limit
from loadgen.transport.interface import Milestones


def batch(first: int, count: int) -> bytes:
    tokens = np.empty(count, TOKEN)
    tokens["index"] = np.arange(first, first + count)
    tokens["scheduled_ns"] = tokens["index"] * 10
    return tokens.tobytes()


@pytest.mark.parametrize("size", [1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5])
def test_tokens_come_out_in_order_whatever_the_size_of_a_batch(size: int) -> None:
    queue = TokenQueue()
    queue.extend(batch(0, size))
    queue.extend(batch(size, 3))
    out = []
    while (head := queue.head()) is not None:
        assert queue.pop() == head
        out.append(head)
    assert out == [(i, i * 10) for i in range(size + 3)]


def test_a_cleared_queue_has_no_head() -> None:
    queue = TokenQueue()
    queue.extend(batch(0, CHUNK * 2))
    assert queue.head() == (0, 0)
    queue.clear()
    assert queue.head() is None


def test_messages_arrive_whole_and_in_order_however_they_were_cut() -> None:
    mine, theirs = Channel.pair()
    text = b'{"kind":"a","n":1}\n{"kind":"b"}\n'
    theirs.sendall(text[:7])
    assert list(mine.receive()) == []
    theirs.sendall(text[7:])
    assert list(mine.receive()) == [{"kind": "a", "n": 1}, {"kind": "b"}]


def test_descriptors_beyond_a_thousand_are_waited_for_too() -> None:
    """256 senders take more: select(2) knows 1,024."""
    raise_limit()
    low, other = os.pipe()
    taken = [os.dup(low) for _ in range(1100)]
    mine, theirs = os.pipe()
    try:
        assert mine > 1024
        assert readable([mine, low], 0.0) == set()
        os.write(theirs, b"x")
        assert readable([mine, low]) == {mine}
        os.close(other)  # an end is something to read as well
        assert readable([mine, low]) == {mine, low}
    finally:
        for descriptor in (low, *taken, mine, theirs):
            os.close(descriptor)


def test_what_was_said_before_a_death_is_heard_before_the_death() -> None:
    mine, theirs = Channel.pair()
    theirs.sendall(b'{"kind":"last"}\n')
    theirs.close()
    heard: list[Message] = []
    with pytest.raises(Closed):
        heard.extend(mine.receive())
    # extend takes what came before the exception
    assert heard == [{"kind": "last"}]
    mine.send("nobody hears this")


def test_a_descriptor_travels_as_its_number() -> None:
    mine, theirs = Channel.pair()
    memory = shared_memory.share(np.arange(3))
    mine.send("setup", memory=memory)
    (message,) = Channel(theirs).receive()
    assert message["memory"] == memory.fileno()


@pytest.mark.parametrize("at_once", [1, 87, 88, 89, 1 << 30])
@pytest.mark.parametrize("torn", [0, 1, 87])
def test_rows_are_read_whole_however_little_the_system_reads_at_once(at_once: int, torn: int) -> None:
    rows = np.zeros(3, RECORD)
    rows["index"] = (7, 8, 9)
    memory = shared_memory.anonymous_file()
    os.write(memory.fileno(), rows.tobytes() + bytes(torn))
    assert shared_memory.rows(memory.fileno(), RECORD, at_once).tolist() == rows.tolist()
    assert len(shared_memory.rows(shared_memory.anonymous_file().fileno(), RECORD, at_once)) == 0


def test_shared_memory_is_seen_by_both_sides_and_closed_with_its_last_reference() -> None:
    memory = shared_memory.allocate(4, np.int64)
    number = memory.fileno()
    writer, reader = shared_memory.attach(number, np.int64, writable=True), shared_memory.attach(number, np.int64)
    writer[2] = 7
    assert reader.tolist() == [0, 0, 7, 0]
    del memory
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(number)
    assert reader[2] == 7


def test_the_record_file_gives_back_what_was_appended_and_leaves_a_torn_row_out() -> None:
    memory = shared_memory.anonymous_file()
    record_file = RecordFile(memory.fileno())
    rows = np.zeros(3, RECORD)
    rows["index"] = [5, 6, 7]
    assert len(record_file.records()) == 0
    record_file.append(rows[:2])
    record_file.append(rows[2:])
    os.write(memory.fileno(), b"torn")
    assert record_file.count == 3
    assert record_file.records()["index"].tolist() == [5, 6, 7]


def test_a_store_gives_every_request_back_as_it_was_encoded() -> None:
    writer = RequestStoreWriter()
    bodies = [b"one", b"", b"three" * 1000]
    assert [writer.add(Request("POST", "/x", "text/plain", body)) for body in bodies] == [0, 1, 2]
    message = writer.finish()
    numbers = {k: v.fileno() if isinstance(v, shared_memory.Descriptor) else v for k, v in message.items()}
    store = RequestStore.attach(numbers)
    assert len(store) == 3
    assert [bytes(store.request(k).body) for k in range(3)] == bodies
    assert store.request(2).path == "/x"


class Sink:
    """A socket that keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send(self, message: bytes, _flags: int = 0) -> None:
        self.sent.append(message)


class Timers:
    """A loop whose timers run on request."""

    def __init__(self) -> None:
        self.waiting: list[object] = []

    def call_later(self, _delay: float, callback: object) -> None:
        self.waiting.append(callback)


def test_the_record_sender_packs_rows_as_the_record_is_laid_out() -> None:
    sink, timers = Sink(), Timers()
    record_sender = RecordSender(timers, sink, 3)  # type: ignore[arg-type]
    measured: dict[str, Any] = {"peak_memory_mb": 5.0, "inference_s": 0.5, "media": MediaInfo(2, 64, 32, 17)}
    record_sender.record(9, Outcome.OK, (1, 2, 3, 4), status=200, flags=1, received=6, failed_polls=3, **measured)
    record_sender.record(10, Outcome.TIMEOUT, (1, 2, 0, 4))
    record_sender.record(11, Outcome.OK, (1, 2, 3, 10), milestones=Milestones(6, 5, 7, 8, 9))
    assert sink.sent == []
    assert len(timers.waiting) == 1
    record_sender.flush()
    (message,) = sink.sent
    first, second, job = np.frombuffer(message, RECORD, offset=1)
    assert first.tolist() == (9, 3, 200, 0, 0, 1, 5.0, 1, 2, 3, 4, 6, 0, 0, 0, 0, 0, 2, 64, 32, 3, 17, 0.5)
    assert [int(job[name]) for name in JOB_TIMES] == [6, 5, 7, 8, 9]
    assert second["outcome"] == Outcome.TIMEOUT
    assert np.isnan(second["peak_memory_mb"])


def test_an_error_is_explained_once_for_each_kind_and_never_at_length() -> None:
    sink, timers = Sink(), Timers()
    record_sender = RecordSender(timers, sink, 0)  # type: ignore[arg-type]
    for index in range(5):
        record_sender.explain(index, "http_500", "x" * 10_000)
    record_sender.explain(6, "reset", "gone")
    record_sender.flush()
    (message,) = sink.sent
    assert message[:1] == b"N"
    assert message.count(b"http_500") == 1
    assert message.count(b"reset") == 1
    assert len(message) < 1200


def test_a_record_is_112_bytes_and_its_errors_have_names() -> None:
    assert RECORD.itemsize == struct.calcsize("<IHHBBHfqqqqqqqqqqHHHHIf") == 112
    assert [error_name(7, 503), error_name(10, 200), error_name(99, 0)] == ["http_503", "no_media", "kind_99"]


@pytest.mark.parametrize(
    ("kind", "status", "accepted_ns", "completed_ns", "name"),
    [
        (ErrorKind.HTTP, 404, 0, 0, "http_404"),
        (ErrorKind.HTTP, 404, 5, 0, "poll_http_404"),
        (ErrorKind.RESET, 0, 5, 0, "poll_reset"),
        (ErrorKind.NO_MEDIA, 200, 5, 9, "content_no_media"),
        (ErrorKind.JOB_FAILED, 200, 5, 0, "job_failed"),
    ],
)
def test_an_error_of_a_job_says_which_of_its_requests_it_befell(
    kind: ErrorKind, status: int, accepted_ns: int, completed_ns: int, name: str
) -> None:
    rows = np.zeros(1, RECORD)
    rows["error"], rows["status"] = kind, status
    rows["accepted_ns"], rows["completed_ns"] = accepted_ns, completed_ns
    assert error_names(rows) == [name]
