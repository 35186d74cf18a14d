"""The times of every sent request: wait, lag, service and response, which is their sum."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.records.record import Outcome
from collector.summary.run_info import RunInfo

Ns = NDArray[np.int64]

# Requests that never ended as far as is known rank as +infinity. An ERROR did end, so it is only counted.
ENDLESS = (Outcome.TIMEOUT, Outcome.CANCELLED, Outcome.UNFINISHED, Outcome.LOST)


@dataclass(frozen=True, slots=True)
class Times:
    """One row per sent request, in schedule order, integer nanoseconds; response = wait + lag + service exactly.

    `width_ns` is how much earlier than `done_ns` a job may have been done, 0 if it was not polled. A server evaluates a
    poll at some instant between its sending and the arrival of its answer. So a job had not completed when the last
    poll answered "not yet" was *sent* (when it was *answered* is no bound: the job may have completed in between), and
    it had completed when the first answer "completed" was *received*. The completion lies between these two, `width_ns`
    apart, and `done_ns` is late by at most that.
    """

    index: NDArray[np.int64]
    outcome: NDArray[np.uint8]
    scheduled_ns: Ns
    released_ns: Ns
    sent_ns: Ns
    done_ns: Ns
    width_ns: Ns

    @property
    def wait_ns(self) -> Ns:
        """Released minus scheduled: the wait for a permit of the concurrency budget."""
        return self.released_ns - self.scheduled_ns

    @property
    def lag_ns(self) -> Ns:
        """Sent minus released: the lateness of this tool."""
        return self.sent_ns - self.released_ns

    @property
    def service_ns(self) -> Ns:
        """Last byte received minus sent."""
        return self.done_ns - self.sent_ns

    @property
    def response_ns(self) -> Ns:
        """Last byte received minus scheduled."""
        return self.done_ns - self.scheduled_ns

    def latency_ns(self, latency_from: str) -> Ns:
        """Response if `latency_from` is "scheduled", service if it is "sent"."""
        return self.response_ns if latency_from == "scheduled" else self.service_ns

    @property
    def ok(self) -> NDArray[np.bool_]:
        """Which requests succeeded."""
        return np.equal(self.outcome, Outcome.OK)

    @property
    def endless(self) -> int:
        """The number of requests that rank as +infinity."""
        return int(np.isin(self.outcome, ENDLESS).sum())

    @property
    def max_in_flight(self) -> int:
        """The most requests in flight at one instant; a request that ends when another starts does not overlap it."""
        if not len(self.sent_ns):
            return 0
        begun = np.sort(self.sent_ns)
        ended = np.searchsorted(np.sort(self.done_ns), begun, side="right")
        return int(np.max(np.arange(1, len(begun) + 1) - ended))


def first_records(records: NDArray[np.void], planned: int) -> NDArray[np.void]:
    """Keep the first record of each planned index, ordered by index; `conservation` reports the others."""
    inside = records[records["index"] < planned]
    first = np.full(planned, -1)
    first[inside["index"][::-1]] = np.arange(len(inside))[::-1]  # the last assignment wins: the first record
    kept: NDArray[np.void] = inside[first[first >= 0]]
    return kept


def of_run(records: NDArray[np.void], info: RunInfo) -> Times:
    """Build the times of all sent requests, from `first_records`.

    A request with a send time and no record is LOST; it counts as done when the run ended.
    """
    index = records["index"].astype(np.int64)
    sent_ns, done_ns = info.send_time_ns.copy(), np.full(info.planned, info.ended_ns, dtype=np.int64)
    outcome = np.full(info.planned, Outcome.LOST, dtype=np.uint8)
    sent_ns[index], done_ns[index], outcome[index] = records["sent_ns"], records["done_ns"], records["outcome"]
    known = info.send_time_ns != 0
    known[index] = True
    sent = np.flatnonzero(known)
    scheduled_ns = info.scheduled_ns[sent]
    permit_ns = permits(scheduled_ns, sent, records["done_ns"], info.max_concurrency)
    if info.died:  # the permits of a dead process were freed at an instant that no record gives
        permit_ns = np.minimum(permit_ns, sent_ns[sent])
    released_ns = np.maximum(scheduled_ns, permit_ns)
    width_ns = np.zeros(info.planned, dtype=np.int64)
    width_ns[index] = np.where(records["completed_ns"], records["completed_ns"] - records["pending_ns"], 0)
    return Times(sent, outcome[sent], scheduled_ns, released_ns, sent_ns[sent], done_ns[sent], width_ns[sent])


def permits(scheduled_ns: Ns, index: Ns, done_ns: Ns, max_concurrency: int) -> Ns:
    """When each request i of `index` got its permit, ns: at the (i - C + 1)-th of the completions `done_ns`.

    The first C requests have a permit from the start; for them, and where that completion is not on record, it is
    `scheduled_ns`.
    """
    completions = np.sort(done_ns)
    place = index - max_concurrency
    held = (place >= 0) & (place < len(completions))
    permit_ns = scheduled_ns.copy()
    permit_ns[held] = completions[place[held]]
    return permit_ns
