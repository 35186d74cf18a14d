"""Polling: when to look at a job again, so that its end is known well enough and no two jobs are looked at in step."""

import random
from collections import deque
from itertools import cycle
from typing import Final

from loadgen.clock import SECOND_NS

SHARE: Final = 0.01  # of the time that a job is expected to take
LEAST_S, MOST_S = 0.05, 2.0
RECENT: Final = 16  # completed jobs that are remembered, warm-ups too
_SWAY: Final = 0.1  # the gap between two polls is an interval, give or take this share of it
_DRAWN: Final = 4093  # phases that are drawn ahead, then used again


class Polling:
    """Gaps between polls in seconds: a fixed interval on average, or 1 % of what the job is expected to take.

    Nobody knows how long a job will take, but the shortest of the recent ones took so long, and this one will have
    taken as long as it has been going. The longer of the two is what is expected: too short rather than too long, for
    polls that were too rare cannot be made up for. The first poll comes after a random part of an interval, so jobs
    that were created together part; the gaps sway, so those that meet by chance part again.
    """

    def __init__(self, interval_s: float | None, seed: str) -> None:
        self._fixed_s = interval_s
        drawn = random.Random(seed)
        self._phases = cycle([drawn.random() for _ in range(_DRAWN)])
        self._recent: deque[int] = deque(maxlen=RECENT)
        self._shortest_ns = 0

    def learn(self, took_ns: int) -> None:
        """Note how long a job took from its creation to its completion."""
        self._recent.append(took_ns)
        self._shortest_ns = min(self._recent)

    def first_s(self, going_ns: int) -> float:
        """Seconds from now to the first poll of a job that was created `going_ns` ago."""
        return self._interval_s(going_ns) * next(self._phases)

    def next_s(self, going_ns: int) -> float:
        """Seconds from now to the next one."""
        return self._interval_s(going_ns) * (1 + _SWAY * (2 * next(self._phases) - 1))

    def _interval_s(self, going_ns: int) -> float:
        if self._fixed_s is not None:
            return self._fixed_s
        expected_s = max(self._shortest_ns, going_ns) / SECOND_NS
        return min(max(SHARE * expected_s, LEAST_S), MOST_S)
