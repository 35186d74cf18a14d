import os
import threading
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.records.shared_counters import NOTHING, STRIDE, SharedCounters
from loadgen.engine.budget import Budget


@dataclass
class ProcessPool:
    """Budgets of several senders over one board, and their bells."""

    senders: int
    permits: int
    shared_counters: SharedCounters = field(init=False)
    budgets: list[Budget] = field(init=False)
    wakeups: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.memory = SharedCounters.create(self.senders, 10)
        self.shared_counters = SharedCounters.attach({name: each.fileno() for name, each in self.memory.items()})
        pipes = [os.pipe() for _ in range(self.senders)]
        self.wakeups = [read for read, _ in pipes]
        for end in (end for pipe in pipes for end in pipe):
            os.set_blocking(end, False)
        self._ends = pipes
        self.budgets = [
            Budget(self.shared_counters, k, self.permits, [write for _, write in pipes]) for k in range(self.senders)
        ]

    def is_woken(self, sender: int) -> bool:
        try:
            return bool(os.read(self.wakeups[sender], 100))
        except BlockingIOError:
            return False

    def __enter__(self) -> "ProcessPool":
        return self

    def __exit__(self, *_: object) -> None:
        for end in (end for pipe in self._ends for end in pipe):
            os.close(end)


def test_as_many_requests_as_there_are_permits_go_at_once_in_order() -> None:
    with ProcessPool(2, permits=3) as pool:
        assert [pool.budgets[i % 2].admits(i) for i in range(4)] == [True, True, True, False]


def test_a_sender_that_waits_is_woken_by_the_completion_that_admits_it_and_by_no_other() -> None:
    with ProcessPool(3, permits=2) as pool:
        assert not pool.budgets[0].admits(3)  # needs two completions
        pool.budgets[1].finish()
        assert not pool.is_woken(0)
        pool.budgets[2].finish()
        assert pool.is_woken(0)
        assert not pool.is_woken(1)
        assert pool.budgets[0].admits(3)


def test_a_sender_that_waits_for_nothing_is_not_woken() -> None:
    with ProcessPool(2, permits=1) as pool:
        pool.budgets[0].finish()
        assert not pool.is_woken(1)


def test_a_sender_that_was_woken_but_is_not_admitted_can_wait_again() -> None:
    with ProcessPool(2, permits=1) as pool:
        assert not pool.budgets[0].admits(1)
        pool.budgets[1].finish()
        assert pool.is_woken(0)
        pool.budgets[0].stop_waiting()
        assert pool.budgets[0].admits(1)
        assert not pool.budgets[0].admits(2)
        pool.budgets[1].finish()
        assert pool.is_woken(0)


@given(st.integers(1, 4), st.integers(1, 6), st.lists(st.booleans(), max_size=60))
def test_in_flight_never_passes_the_permits_and_admission_is_in_schedule_order(
    senders: int, permits: int, steps: list[bool]
) -> None:
    with ProcessPool(senders, permits) as pool:
        sent = finished = 0
        for send in steps:
            if send:
                assert pool.budgets[sent % senders].admits(sent) == (sent - finished < permits)
                sent += sent - finished < permits
            elif finished < sent:
                pool.budgets[finished % senders].finish()
                finished += 1
            assert sent - finished <= permits


def test_no_permit_is_lost_between_senders_that_race() -> None:
    """Two threads as senders, one permit: every request needs the other's completion, so a lost ring would hang."""
    with ProcessPool(2, permits=1) as pool:
        for wakeup in pool.wakeups:
            os.set_blocking(wakeup, True)

        def live(me: int) -> None:
            for index in range(me, 2_000, 2):
                while not pool.budgets[me].admits(index):
                    os.read(pool.wakeups[me], 100)
                    pool.budgets[me].stop_waiting()
                pool.budgets[me].finish()

        threads = [threading.Thread(target=live, args=(me,), daemon=True) for me in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads)
        assert pool.shared_counters.finished() == 2_000


@pytest.mark.parametrize("senders", [1, 3])
def test_new_shared_counters_are_zero_and_nobody_waits(senders: int) -> None:
    with ProcessPool(senders, 1) as pool:
        assert pool.shared_counters.sent() == pool.shared_counters.finished() == 0
        assert len(pool.shared_counters.counters) == senders * STRIDE
        assert (pool.shared_counters.counters[2::STRIDE] == NOTHING).all()
        assert (pool.shared_counters.send_times == np.zeros(10)).all()
