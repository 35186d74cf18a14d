"""The error storm: from when more than half of the latest requests failed, until fewer than a quarter do."""

from collections import Counter, deque
from collections.abc import Mapping
from typing import Final

from collector.summary.result import ErrorStorm

LATEST: Final = 20  # requests that ended, at least
LATEST_S: Final = 5.0  # and all of this time
BEGINS: Final = 1 / 2  # share that failed, above which it begins
ENDS: Final = 1 / 4  # share below which it is over

_Mark = tuple[float, int, Counter[str]]  # time (s), requests that ended, the failed ones by error name


class StormDetector:
    """Compares counts over time. Memory is bounded by the number of updates in `LATEST_S`, and by `LATEST`."""

    def __init__(self) -> None:
        self._marks: deque[_Mark] = deque([(0.0, 0, Counter())])
        self._in_progress = False

    def update(self, at_s: float, ended: int, errors: Mapping[str, int]) -> ErrorStorm | None:
        """Take the counts since time zero: requests that ended, failed ones by error; return the storm that there is.

        It has no example.
        """
        if ended > self._marks[-1][1]:
            self._marks.append((at_s, ended, Counter(errors)))
        while len(self._marks) > 1 and self._reaches_back_to(self._marks[1], at_s, ended):
            self._marks.popleft()
        _, ended_before, errors_before = self._marks[0]
        latest = Counter(errors) - errors_before
        count, failed = ended - ended_before, latest.total()
        limit = ENDS if self._in_progress else BEGINS
        self._in_progress = count >= LATEST and (
            failed >= limit * count if self._in_progress else failed > limit * count
        )
        if not self._in_progress:
            return None
        return ErrorStorm(failed=failed, ended=count, error=latest.most_common(1)[0][0], example=None)

    @staticmethod
    def _reaches_back_to(mark: _Mark, at_s: float, ended: int) -> bool:
        """Whether the requests since this mark are enough."""
        return ended - mark[1] >= LATEST and at_s - mark[0] >= LATEST_S
