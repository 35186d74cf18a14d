"""Figures while a run goes on: counters and one histogram, so that memory stays flat however long it takes."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.records.record import Outcome
from collector.statistics.order_statistics import rank, seconds
from collector.summary.result import Snapshot
from collector.summary.times import ENDLESS

LEAST_S = 1e-6
GROWTH = 1.01  # each bucket is 1 % wider than the one below, so a percentile is right to half a per cent
BUCKETS = math.ceil(math.log(1e5 / LEAST_S) / math.log(GROWTH))  # up to 10^5 s


SLACK: Final = 65_536  # requests around the one sent last that may be marked out of order
NOBODY: Final = np.zeros(0, dtype=np.int64)
SILENT_S = 10.0  # in flight for less than this is nothing to mention ...
SILENT_TIMES = 3  # ... nor is less than this many times the longest answer so far


class LiveFigures:
    """Counts records as they come; percentiles are over successes, with what never ended ranking as +infinity.

    A request is called silent once it has been in flight for `SILENT_S`, and for much longer than any that succeeded.
    """

    def __init__(
        self, *, planned: int, asked_rate: float, last_arrival_s: float, started_ns: int, latency_from: str
    ) -> None:
        """`asked_rate` is in requests/s (inf: closed loop), `last_arrival_s` counts from time zero, `started_ns`."""
        self._planned, self._asked_rate, self._last_arrival_s = planned, asked_rate, last_arrival_s
        self._started_ns = started_ns
        self._from = "scheduled_ns" if latency_from == "scheduled" else "sent_ns"
        self._histogram = np.zeros(BUCKETS, dtype=np.int64)
        self._done = self._ok = self._endless = 0
        self._ended = np.zeros(planned, dtype=np.bool_)
        self._first = 0  # all before this one have ended
        self._longest_ns = 0  # service of a success
        self._all_sent_s: float | None = None  # when the last request was seen to be sent

    def add(self, records: NDArray[np.void]) -> None:
        """Count a batch of records (dtype `record.RECORD`)."""
        good = records[records["outcome"] == Outcome.OK]
        latency_s = seconds(good["done_ns"] - good[self._from])
        place = np.log(np.maximum(latency_s, LEAST_S) / LEAST_S) / math.log(GROWTH)
        np.add.at(self._histogram, np.minimum(place.astype(np.int64), BUCKETS - 1), 1)
        self._done += len(records)
        self._ended[records["index"][records["index"] < self._planned]] = True
        self._longest_ns = max(self._longest_ns, int((good["done_ns"] - good["sent_ns"]).max(initial=0)))
        self._ok += len(good)
        self._endless += int(np.isin(records["outcome"], ENDLESS).sum())

    def snapshot(self, now_ns: int, sent: int, finished: int, marks_ns: NDArray[np.int64] = NOBODY) -> Snapshot:
        """Show the run as it stands: `sent` and `finished` by the senders' count, `marks_ns` as on their board."""
        elapsed_s = max(now_ns - self._started_ns, 0) / 1e9
        p50_s = self._percentile(0.5)
        silent = self._silent(now_ns, marks_ns[: sent + SLACK]) if sent > finished else NOBODY
        oldest = int(silent[np.argmin(marks_ns[silent])]) if len(silent) else None
        return Snapshot(
            planned=self._planned,
            sent=sent,
            in_flight=max(sent - finished, 0),
            done=self._done,
            failed=self._done - self._ok,
            elapsed_s=elapsed_s,
            asked_rate="inf" if math.isinf(self._asked_rate) else self._asked_rate,
            achieved_rate=self._achieved_rate(sent, elapsed_s),
            p50_s=p50_s,
            p99_s=self._percentile(0.99),
            left_s=self._left_s(sent, elapsed_s, p50_s or 0.0),
            silent=len(silent),
            silent_s=None if oldest is None else (now_ns - int(marks_ns[oldest])) / 1e9,
            silent_index=oldest,
        )

    def _silent(self, now_ns: int, marks_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Places of the requests that were marked as sent so long ago, and have no record."""
        patience_ns = max(int(SILENT_S * 1e9), SILENT_TIMES * self._longest_ns)
        first = self._first = self._first + int(np.argmin(self._ended[self._first :]))
        sent_ns = marks_ns[first:]
        open_ns = np.where(self._ended[first : first + len(sent_ns)], 0, sent_ns)
        return first + np.flatnonzero((open_ns != 0) & (open_ns < now_ns - patience_ns))

    def _percentile(self, p: float) -> float | None:
        """Middle of the bucket that holds rank ceil(p n)."""
        place = rank(p, self._ok + self._endless)
        if not 1 <= place <= self._ok:
            return None
        bucket = int(np.searchsorted(np.cumsum(self._histogram), place))
        return float(LEAST_S * GROWTH ** (bucket + 0.5))

    def _achieved_rate(self, sent: int, elapsed_s: float) -> float | None:
        """Gaps between sends per second; the clock stops with the last send."""
        if sent < self._planned:
            self._all_sent_s = None
        elif self._all_sent_s is None:
            self._all_sent_s = elapsed_s
        over_s = elapsed_s if self._all_sent_s is None else self._all_sent_s
        return (sent - 1) / over_s if sent > 1 and over_s > 0 else None

    def _left_s(self, sent: int, elapsed_s: float, latency_s: float) -> float | None:
        """Time to the last arrival, then to send what the budget held back at the pace of answers, then one latency."""
        if self._done >= self._planned:
            return 0.0
        if not self._done or not elapsed_s:
            return None
        over = elapsed_s >= self._last_arrival_s
        due = self._planned if over else min(self._planned, self._asked_rate * elapsed_s)
        backlog_s = max(due - sent, 0) * max(self._last_arrival_s, elapsed_s) / self._done
        return max(self._last_arrival_s - elapsed_s, 0.0) + backlog_s + latency_s
