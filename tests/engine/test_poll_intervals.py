"""When a job is looked at again: intervals by what is expected, phases by a seed."""

import pytest

from loadgen.engine.poll_intervals import MAX_INTERVAL_S, MIN_INTERVAL_S, RECENT, Polling

S = 1_000_000_000


def gaps(polling: Polling, going_s: float, count: int = 4000) -> list[float]:
    return [polling.next_s(int(going_s * S)) for _ in range(count)]


@pytest.mark.parametrize(
    ("earlier_s", "going_s", "interval_s"),
    [
        ((), 0.0, MIN_INTERVAL_S),
        ((), 4.9, 0.05),
        ((), 20.0, 0.2),  # it has been going for 20 s, so that is the least it will take
        ((30.0,), 0.0, 0.3),
        ((30.0,), 10.0, 0.3),
        ((30.0,), 90.0, 0.9),
        ((30.0, 12.0, 50.0), 1.0, 0.12),
        ((1000.0,), 0.0, MAX_INTERVAL_S),
        ((1.0,), 0.0, MIN_INTERVAL_S),
        ((1.0, *[40.0] * RECENT), 0.0, 0.4),  # what was long ago is forgotten
    ],
)
def test_the_interval_is_a_hundredth_of_what_is_expected_between_50_ms_and_2_s(
    earlier_s: tuple[float, ...], going_s: float, interval_s: float
) -> None:
    polling = Polling(None, "seed")
    for took_s in earlier_s:
        polling.learn(int(took_s * S))
    found = gaps(polling, going_s)
    assert sum(found) / len(found) == pytest.approx(interval_s, rel=0.01)
    assert 0.9 * interval_s <= min(found) < max(found) <= 1.1 * interval_s


def test_an_interval_that_was_asked_for_is_kept_whatever_is_expected() -> None:
    polling = Polling(3.0, "seed")
    polling.learn(S)
    assert sum(gaps(polling, 1000.0)) / 4000 == pytest.approx(3.0, rel=0.01)


def test_jobs_that_begin_together_are_first_looked_at_all_over_an_interval() -> None:
    polling = Polling(1.0, "seed")
    first = sorted(polling.first_s(0) for _ in range(1000))
    assert all(abs(at - k / 1000) < 0.06 for k, at in enumerate(first))  # Kolmogorov: 0.06 is 1 in 700, and seeded


def test_two_jobs_that_meet_part_again() -> None:
    polling = Polling(1.0, "seed")
    one = two = 0.0
    apart = []
    for _ in range(200):
        one, two = one + polling.next_s(0), two + polling.next_s(0)
        apart.append(abs(one - two))
    assert max(apart) > 0.3


def test_the_same_seed_looks_at_the_same_times_and_another_does_not() -> None:
    assert gaps(Polling(1.0, "a"), 0) == gaps(Polling(1.0, "a"), 0) != gaps(Polling(1.0, "b"), 0)
