"""Live figures of a run: counters and one histogram, so that memory use is constant however long the run is."""

import math
from collections import Counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.process.error_storm import StormDetector
from collector.records.record import Outcome, failures
from collector.statistics.percentiles import rank, seconds
from collector.summary.result import Snapshot
from collector.summary.times import ENDLESS

MIN_S = 1e-6
GROWTH = 1.01  # each bucket is 1 % wider than the one below, so a percentile is accurate to 0.5 %
BUCKETS = math.ceil(math.log(1e5 / MIN_S) / math.log(GROWTH))  # up to 10^5 s
MAX_REORDER: Final = 65_536  # by how many requests the order of sending may differ from the plan
NONE: Final = np.zeros(0, dtype=np.int64)
UNANSWERED_S = 10.0  # in flight for less than this is not reported,
UNANSWERED_TIMES = 3  # nor is less than this many times the longest successful request so far


class LiveFigures:
    """Counts records as they arrive; percentiles are over successes, and requests that never ended rank as +infinity.

    A request is reported as unanswered once it has been in flight for `UNANSWERED_S`, and for `UNANSWERED_TIMES` the
    longest success.
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
        self._first = 0  # all requests before this one have ended
        self._longest_ns = 0  # longest service of a success
        self._errors: Counter[str] = Counter()  # failed requests by error name
        self._storm = StormDetector()
        self._all_sent_s: float | None = None  # when all requests were first seen to be sent

    def add(self, records: NDArray[np.void]) -> None:
        """Count a batch of records (dtype `record.RECORD`)."""
        successes = records[records["outcome"] == Outcome.OK]
        latency_s = seconds(successes["done_ns"] - successes[self._from])
        place = np.log(np.maximum(latency_s, MIN_S) / MIN_S) / math.log(GROWTH)
        np.add.at(self._histogram, np.minimum(place.astype(np.int64), BUCKETS - 1), 1)
        self._done += len(records)
        self._ended[records["index"][records["index"] < self._planned]] = True
        self._longest_ns = max(self._longest_ns, int((successes["done_ns"] - successes["sent_ns"]).max(initial=0)))
        self._ok += len(successes)
        if len(successes) < len(records):
            self._errors += failures(records)
        self._endless += int(np.isin(records["outcome"], ENDLESS).sum())

    def snapshot(self, now_ns: int, sent: int, finished: int, send_time_ns: NDArray[np.int64] = NONE) -> Snapshot:
        """The run as it stands; `sent`, `finished` and `send_time_ns` are those of the shared counters."""
        elapsed_s = max(now_ns - self._started_ns, 0) / 1e9
        p50_s = self._percentile(0.5)
        unanswered = self._unanswered(now_ns, send_time_ns[: sent + MAX_REORDER]) if sent > finished else NONE
        oldest = int(unanswered[np.argmin(send_time_ns[unanswered])]) if len(unanswered) else None
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
            remaining_s=self._remaining_s(sent, elapsed_s, p50_s or 0.0),
            unanswered=len(unanswered),
            unanswered_s=None if oldest is None else (now_ns - int(send_time_ns[oldest])) / 1e9,
            unanswered_index=oldest,
            storm=self._storm.update(elapsed_s, self._done, self._errors),
        )

    def _unanswered(self, now_ns: int, send_time_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Plan indexes of the requests that were sent long ago and have no record."""
        limit_ns = max(int(UNANSWERED_S * 1e9), UNANSWERED_TIMES * self._longest_ns)
        first = self._first = self._first + int(np.argmin(self._ended[self._first :]))
        sent_ns = send_time_ns[first:]
        open_ns = np.where(self._ended[first : first + len(sent_ns)], 0, sent_ns)
        return first + np.flatnonzero((open_ns != 0) & (open_ns < now_ns - limit_ns))

    def _percentile(self, p: float) -> float | None:
        """Middle of the bucket that holds rank ceil(p n)."""
        place = rank(p, self._ok + self._endless)
        if not 1 <= place <= self._ok:
            return None
        bucket = int(np.searchsorted(np.cumsum(self._histogram), place))
        return float(MIN_S * GROWTH ** (bucket + 0.5))

    def _achieved_rate(self, sent: int, elapsed_s: float) -> float | None:
        """Sends per second up to now, or up to the last send."""
        if sent < self._planned:
            self._all_sent_s = None
        elif self._all_sent_s is None:
            self._all_sent_s = elapsed_s
        span_s = elapsed_s if self._all_sent_s is None else self._all_sent_s
        return (sent - 1) / span_s if sent > 1 and span_s > 0 else None

    def _remaining_s(self, sent: int, elapsed_s: float, latency_s: float) -> float | None:
        """Time to the last arrival, plus that to work off the backlog at the current throughput, plus one latency."""
        if self._done >= self._planned:
            return 0.0
        if not self._done or not elapsed_s:
            return None
        all_due = elapsed_s >= self._last_arrival_s
        due = self._planned if all_due else min(self._planned, self._asked_rate * elapsed_s)
        backlog_s = max(due - sent, 0) * max(self._last_arrival_s, elapsed_s) / self._done
        return max(self._last_arrival_s - elapsed_s, 0.0) + backlog_s + latency_s
