"""The times of every sent request: wait, lag, service and response, as DESIGN.md section 2 defines them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.records.record import Outcome
from collector.summary.run_info import RunInfo

Ns = NDArray[np.int64]

# Requests that never ended for all we know: they rank as +infinity. An ERROR did end, so it is only counted.
ENDLESS = (Outcome.TIMEOUT, Outcome.CANCELLED, Outcome.UNFINISHED, Outcome.LOST)


@dataclass(frozen=True, slots=True)
class Times:
    """One row per sent request, in schedule order, integer nanoseconds; response = wait + lag + service exactly.

    `width_ns` is how much earlier than `done_ns` a job may really have been done, 0 where nothing was polled. A server
    looks at a job at some instant between the sending of a poll and the coming of its answer. So a job had not
    completed when the last poll that said "not yet" was *sent* (when it was *answered* is no bound: it may have
    completed in between), and had when the first answer that said "completed" was *here*. It completed between these
    two, `width_ns` apart; whoever is told at once has the content earlier by that much at most: `done_ns` is late.
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
        """Released minus scheduled: the budget's doing."""
        return self.released_ns - self.scheduled_ns

    @property
    def lag_ns(self) -> Ns:
        """Sent minus released: the tool's doing."""
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
        """Response where latency counts from "scheduled", service where it counts from "sent"."""
        return self.response_ns if latency_from == "scheduled" else self.service_ns

    @property
    def ok(self) -> NDArray[np.bool_]:
        """Which requests succeeded."""
        return np.equal(self.outcome, Outcome.OK)

    @property
    def endless(self) -> int:
        """How many requests rank as +infinity."""
        return int(np.isin(self.outcome, ENDLESS).sum())

    @property
    def max_in_flight(self) -> int:
        """Most requests in flight at one instant; one that ends at the instant another starts makes room for it."""
        if not len(self.sent_ns):
            return 0
        begun = np.sort(self.sent_ns)
        ended = np.searchsorted(np.sort(self.done_ns), begun, side="right")
        return int(np.max(np.arange(1, len(begun) + 1) - ended))


def first_records(records: NDArray[np.void], planned: int) -> NDArray[np.void]:
    """Keep one record per planned index, the first that came, ordered by index; others are left to `conservation`."""
    inside = records[records["index"] < planned]
    first = np.full(planned, -1)
    first[inside["index"][::-1]] = np.arange(len(inside))[::-1]  # of several, the last assigned stays: the first record
    kept: NDArray[np.void] = inside[first[first >= 0]]
    return kept


def of_run(records: NDArray[np.void], info: RunInfo) -> Times:
    """Build the times of all that was sent, from `first_records`.

    A request with a mark and no record is LOST: sent when it was marked, done when the books were closed.
    """
    index = records["index"].astype(np.int64)
    sent_ns, done_ns = info.marked_ns.copy(), np.full(info.planned, info.ended_ns, dtype=np.int64)
    outcome = np.full(info.planned, Outcome.LOST, dtype=np.uint8)
    sent_ns[index], done_ns[index], outcome[index] = records["sent_ns"], records["done_ns"], records["outcome"]
    known = info.marked_ns != 0
    known[index] = True
    sent = np.flatnonzero(known)
    scheduled_ns = info.scheduled_ns[sent]
    permit_ns = permits(scheduled_ns, sent, records["done_ns"], info.max_concurrency)
    if info.died:  # what a dead process held came free when it was buried, and no completion dates that
        permit_ns = np.minimum(permit_ns, sent_ns[sent])
    released_ns = np.maximum(scheduled_ns, permit_ns)
    width_ns = np.zeros(info.planned, dtype=np.int64)
    width_ns[index] = np.where(records["completed_ns"], records["completed_ns"] - records["pending_ns"], 0)
    return Times(sent, outcome[sent], scheduled_ns, released_ns, sent_ns[sent], done_ns[sent], width_ns[sent])


def permits(scheduled_ns: Ns, index: Ns, done_ns: Ns, max_concurrency: int) -> Ns:
    """Tell when each request of `index` got its permit: at the (i - C + 1)-th of the completions `done_ns`.

    The first C have theirs from the start, and so has one whose completion is not in the books; for these it is
    `scheduled_ns`.
    """
    completions = np.sort(done_ns)
    place = index - max_concurrency
    held = (place >= 0) & (place < len(completions))
    permit_ns = scheduled_ns.copy()
    permit_ns[held] = completions[place[held]]
    return permit_ns
