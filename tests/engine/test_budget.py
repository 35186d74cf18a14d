import os
import threading
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.records.shared_counters import NOTHING, STRIDE, Board
from loadgen.engine.budget import Budget


@dataclass
class Crew:
    """Budgets of several senders over one board, and their bells."""

    senders: int
    permits: int
    board: Board = field(init=False)
    budgets: list[Budget] = field(init=False)
    bells: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.memory = Board.create(self.senders, 10)
        self.board = Board.attach({name: each.fileno() for name, each in self.memory.items()})
        pipes = [os.pipe() for _ in range(self.senders)]
        self.bells = [read for read, _ in pipes]
        for end in (end for pipe in pipes for end in pipe):
            os.set_blocking(end, False)
        self._ends = pipes
        self.budgets = [Budget(self.board, k, self.permits, [write for _, write in pipes]) for k in range(self.senders)]

    def rung(self, sender: int) -> bool:
        try:
            return bool(os.read(self.bells[sender], 100))
        except BlockingIOError:
            return False

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *_: object) -> None:
        for end in (end for pipe in self._ends for end in pipe):
            os.close(end)


def test_as_many_requests_as_there_are_permits_go_at_once_in_order() -> None:
    with Crew(2, permits=3) as crew:
        assert [crew.budgets[i % 2].admits(i) for i in range(4)] == [True, True, True, False]


def test_a_sender_that_waits_is_rung_by_the_completion_that_lets_it_go_and_by_no_other() -> None:
    with Crew(3, permits=2) as crew:
        assert not crew.budgets[0].admits(3)  # needs two completions
        crew.budgets[1].finish()
        assert not crew.rung(0)
        crew.budgets[2].finish()
        assert crew.rung(0)
        assert not crew.rung(1)
        assert crew.budgets[0].admits(3)


def test_a_sender_that_waits_for_nothing_is_not_rung() -> None:
    with Crew(2, permits=1) as crew:
        crew.budgets[0].finish()
        assert not crew.rung(1)


def test_a_sender_that_was_rung_and_still_may_not_go_can_wait_again() -> None:
    with Crew(2, permits=1) as crew:
        assert not crew.budgets[0].admits(1)
        crew.budgets[1].finish()
        assert crew.rung(0)
        crew.budgets[0].woken()
        assert crew.budgets[0].admits(1)
        assert not crew.budgets[0].admits(2)
        crew.budgets[1].finish()
        assert crew.rung(0)


@given(st.integers(1, 4), st.integers(1, 6), st.lists(st.booleans(), max_size=60))
def test_in_flight_never_passes_the_permits_and_admission_is_in_schedule_order(
    senders: int, permits: int, steps: list[bool]
) -> None:
    with Crew(senders, permits) as crew:
        sent = finished = 0
        for send in steps:
            if send:
                assert crew.budgets[sent % senders].admits(sent) == (sent - finished < permits)
                sent += sent - finished < permits
            elif finished < sent:
                crew.budgets[finished % senders].finish()
                finished += 1
            assert sent - finished <= permits


def test_no_permit_is_lost_between_senders_that_race() -> None:
    """Two threads as senders, one permit: every request needs the other's completion, so a lost ring would hang."""
    with Crew(2, permits=1) as crew:
        for bell in crew.bells:
            os.set_blocking(bell, True)

        def live(me: int) -> None:
            for index in range(me, 2_000, 2):
                while not crew.budgets[me].admits(index):
                    os.read(crew.bells[me], 100)
                    crew.budgets[me].woken()
                crew.budgets[me].finish()

        threads = [threading.Thread(target=live, args=(me,), daemon=True) for me in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads)
        assert crew.board.finished() == 2_000


@pytest.mark.parametrize("senders", [1, 3])
def test_a_new_board_is_empty_and_nobody_waits(senders: int) -> None:
    with Crew(senders, 1) as crew:
        assert crew.board.sent() == crew.board.finished() == 0
        assert len(crew.board.counters) == senders * STRIDE
        assert (crew.board.counters[2::STRIDE] == NOTHING).all()
        assert (crew.board.marks == np.zeros(10)).all()
