"""Polling intervals: when to poll a job again, so that its end is known precisely and no two jobs poll in step."""

import random
from collections import deque
from itertools import cycle
from typing import Final

from loadgen.clock import SECOND_NS

SHARE: Final = 0.01  # of the time that a job is expected to take
MIN_INTERVAL_S, MAX_INTERVAL_S = 0.05, 2.0
RECENT: Final = 16  # completed jobs that are remembered, warm-ups included
_JITTER: Final = 0.1  # each interval varies by up to this share
_PHASES: Final = 4093  # random numbers drawn ahead, then used in turn


class Polling:
    """Seconds between polls: a fixed interval on average, or 1 % of the expected duration of the job.

    The expected duration is the shortest of the recent jobs or the age of this one, whichever is longer: rather too
    short than too long, since polls that were too rare cannot be made up for. The first poll comes after a random part
    of an interval, so that jobs created together poll apart; later intervals have jitter, so that they stay apart.
    """

    def __init__(self, interval_s: float | None, seed: str) -> None:
        self._fixed_s = interval_s
        generator = random.Random(seed)
        self._phases = cycle([generator.random() for _ in range(_PHASES)])
        self._recent: deque[int] = deque(maxlen=RECENT)
        self._shortest_ns = 0

    def learn(self, duration_ns: int) -> None:
        """Note the duration of a job, from creation to completion."""
        self._recent.append(duration_ns)
        self._shortest_ns = min(self._recent)

    def first_s(self, age_ns: int) -> float:
        """Seconds from now to the first poll of a job that was created `age_ns` ago."""
        return self._interval_s(age_ns) * next(self._phases)

    def next_s(self, age_ns: int) -> float:
        """Seconds from now to the next poll of a job of that age."""
        return self._interval_s(age_ns) * (1 + _JITTER * (2 * next(self._phases) - 1))

    def retry_s(self, age_ns: int, failures: int) -> float:
        """Seconds until a failed poll is repeated, the `failures`th in a row: twice as many each time, up to 2."""
        interval_s = self.next_s(age_ns)
        return min(interval_s * float(2 ** (failures - 1)), max(interval_s, MAX_INTERVAL_S))

    def _interval_s(self, age_ns: int) -> float:
        if self._fixed_s is not None:
            return self._fixed_s
        expected_s = max(self._shortest_ns, age_ns) / SECOND_NS
        return min(max(SHARE * expected_s, MIN_INTERVAL_S), MAX_INTERVAL_S)
