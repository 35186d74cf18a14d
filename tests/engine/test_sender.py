"""A sender's timing and order, with a transport that only writes down what it is asked."""

import asyncio
from collections.abc import Callable

import numpy as np
import pytest
import uvloop

from collector.records.record import RETRIED, Outcome
from collector.records.shared_counters import SharedCounters
from loadgen.bodies.request import Request
from loadgen.clock import now_ns
from loadgen.engine.budget import Budget
from loadgen.engine.sender import BURST, COLD_EARLY_NS, Sender
from loadgen.engine.timer import LoopTimer, Timer, TimerfdTimer, best_timer
from loadgen.engine.tokens import TOKEN
from loadgen.transport.interface import NO_JOB, Answer


class Desk:
    """Takes answers as the answer handler does, and keeps the calls."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.given_up: list[tuple[int, Outcome]] = []
        self.flags: list[int] = []

    def take(self, index: int, _scheduled_ns: int, _answer: Answer) -> None:
        self.taken.append(index)

    def give_up(self, index: int, outcome: Outcome, _stamps: object, progress: "Sent") -> None:
        self.given_up.append((index, outcome))
        self.flags.append(progress.flags)


class Sent:
    """One request as the transport got it."""

    milestones, failed_polls = NO_JOB, 0

    def __init__(self, index: int, done: Callable[[Answer], None], not_before_ns: int) -> None:
        self.index, self.done, self.not_before_ns, self.sent_ns = index, done, not_before_ns, now_ns()
        self.abandoned, self.flags, self.first_byte_ns = False, 0, 0

    def abandon(self) -> None:
        self.abandoned = True

    def answer(self) -> None:
        self.done(Answer(self.sent_ns, now_ns(), now_ns(), 200, b""))


class Recorder:
    """A transport that answers on request, or at once where `prompt`."""

    name = "recorder"

    def __init__(self, prompt: bool = False) -> None:
        self.sent: list[Sent] = []
        self.prompt = prompt

    def send(self, request: Request, done: Callable[[Answer], None], not_before_ns: int = 0) -> Sent:
        sent = Sent(int(request.body), done, not_before_ns)
        self.sent.append(sent)
        if self.prompt:
            asyncio.get_running_loop().call_soon(sent.answer)
        return sent


class Rig:
    """A sender with everything it needs."""

    def __init__(
        self, permits: int, *, prompt: bool = False, timeout_s: float | None = None, spin_us: float = 0
    ) -> None:
        self.transport, self.desk = Recorder(prompt), Desk()
        self.memory = SharedCounters.create(1, 10_000)
        self.shared_counters = SharedCounters.attach({name: each.fileno() for name, each in self.memory.items()})
        self.sender = Sender(
            asyncio.get_running_loop(),
            self.transport,  # type: ignore[arg-type]
            lambda index: Request("POST", "/", "", b"%d" % index),
            Budget(self.shared_counters, 0, permits, [-1]),
            self.shared_counters.sender_counters(0),
            self.desk,  # type: ignore[arg-type]
            timeout_s,
            spin_us,
        )

    def tokens(self, *times_ns: int) -> None:
        batch = np.empty(len(times_ns), TOKEN)
        batch["index"], batch["scheduled_ns"] = np.arange(len(times_ns)), times_ns
        self.sender.take(batch.tobytes())

    @property
    def indices(self) -> list[int]:
        return [sent.index for sent in self.transport.sent]


async def until(reached: Callable[[], bool]) -> None:
    for _ in range(2000):
        if reached():
            return
        await asyncio.sleep(0.005)
    pytest.fail("waited in vain")


@pytest.mark.parametrize("spin_us", [0, 100, 50_000])
def test_requests_go_in_order_and_never_early(spin_us: float) -> None:
    async def main() -> None:
        rig = Rig(100, spin_us=spin_us)
        begin = now_ns()
        rig.tokens(*(begin + i * 3_000_000 for i in range(30)))
        await until(lambda: len(rig.indices) == 30)
        assert rig.indices == list(range(30))
        for i, sent in enumerate(rig.transport.sent):
            assert sent.not_before_ns == begin + i * 3_000_000
            assert sent.sent_ns >= sent.not_before_ns - COLD_EARLY_NS  # a transport waits out the rest

    uvloop.run(main())


@pytest.mark.parametrize("count", [1, BURST - 1, BURST, BURST + 1, 5 * BURST])
def test_what_is_overdue_goes_in_bursts_that_let_answers_in(count: int) -> None:
    async def main() -> None:
        rig = Rig(1000)
        rig.tokens(*[1] * count)
        assert len(rig.indices) == min(count, BURST)
        await until(lambda: len(rig.indices) == count)
        assert rig.indices == list(range(count))

    uvloop.run(main())


def test_the_budget_is_kept_and_every_answer_lets_one_request_go() -> None:
    async def main() -> None:
        rig = Rig(2)
        rig.tokens(1, 1, 1, 1)
        assert rig.indices == [0, 1]
        rig.transport.sent[1].answer()
        assert rig.indices == [0, 1, 2]
        rig.transport.sent[0].answer()
        assert rig.indices == [0, 1, 2, 3]
        assert rig.desk.taken == [1, 0]
        assert rig.shared_counters.send_times[:4].all()
        assert (rig.shared_counters.sent(), rig.shared_counters.finished()) == (4, 2)

    uvloop.run(main())


def test_a_request_that_takes_too_long_is_given_up_and_its_permit_passed_on() -> None:
    async def main() -> None:
        rig = Rig(1, timeout_s=0.05)
        rig.tokens(1, 1)
        rig.transport.sent[0].flags = RETRIED
        await until(lambda: len(rig.desk.given_up) == 2)
        assert rig.desk.flags == [RETRIED, 0]
        assert rig.desk.given_up == [(0, Outcome.TIMEOUT), (1, Outcome.TIMEOUT)]
        assert all(sent.abandoned for sent in rig.transport.sent)

    uvloop.run(main())


def test_an_answer_in_time_stops_the_clock() -> None:
    async def main() -> None:
        rig = Rig(1, timeout_s=0.05, prompt=True)
        rig.tokens(1, 1, 1)
        await until(lambda: len(rig.desk.taken) == 3)
        await asyncio.sleep(0.1)
        assert rig.desk.given_up == []

    uvloop.run(main())


def test_a_stopped_sender_sends_nothing_more_and_tells_once_when_it_is_idle() -> None:
    async def main() -> None:
        rig = Rig(2)
        idle_calls: list[str] = []
        rig.sender.on_idle = lambda: idle_calls.append("idle")
        rig.tokens(1, 1, 1, now_ns() + 20_000_000)
        rig.sender.stop()
        assert idle_calls == []
        rig.transport.sent[0].answer()
        rig.sender.abandon(Outcome.CANCELLED)
        await asyncio.sleep(0.05)
        assert rig.indices == [0, 1]
        assert rig.desk.given_up == [(1, Outcome.CANCELLED)]
        assert idle_calls == ["idle"]

    uvloop.run(main())


@pytest.mark.parametrize("kind", [TimerfdTimer, LoopTimer, best_timer])
def test_a_timer_fires_at_the_last_time_it_was_set_to_and_never_before(kind: Callable[..., Timer]) -> None:
    async def main() -> None:
        calls: list[int] = []
        timer = kind(asyncio.get_running_loop(), lambda: calls.append(now_ns()))
        timer.set(now_ns() + 3_600_000_000_000)
        due = now_ns() + 20_000_000
        timer.set(due)
        await until(lambda: bool(calls))
        assert calls[0] >= due
        timer.set(1)  # long ago: at once
        await until(lambda: len(calls) == 2)
        timer.close()

    uvloop.run(main())


def test_without_timerfd_the_loops_own_timer_serves() -> None:
    def missing(*_: object) -> Timer:
        raise OSError("no timerfd here")

    async def main() -> None:
        timer = best_timer(asyncio.get_running_loop(), lambda: None, missing)
        assert timer.name == "loop timer"

    uvloop.run(main())
