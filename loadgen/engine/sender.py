"""The sender: starts one HTTP exchange per token, at its scheduled time and within the concurrency budget."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from collector.records.record import Outcome
from collector.records.shared_counters import SenderCounters
from loadgen.bodies.request import Request
from loadgen.clock import SECOND_NS, now_ns
from loadgen.engine.answer_handler import AnswerHandler
from loadgen.engine.budget import Budget
from loadgen.engine.loop_monitor import LoopMonitor
from loadgen.engine.timer import best_timer
from loadgen.engine.tokens import TokenQueue
from loadgen.transport.interface import Answer, Exchange, Transport

RECHECK_S: Final = 0.05
BURST: Final = 16  # requests sent in a row before the loop reads answers
MAX_LATENESS_NS: Final = 500_000  # the timer is set earlier by its usual lateness, up to this
EARLY_NS: Final = 5_000  # a request is prepared this long before its time, which is what that takes
COLD_NS: Final = 500_000  # after a pause of this length (cold caches) ...
COLD_EARLY_NS: Final = 30_000  # ... preparing takes this long


class InFlightRequest:
    """One request in flight; `answered` is the callback of the transport."""

    __slots__ = ("exchange", "index", "scheduled_ns", "sender")
    exchange: Exchange

    def __init__(self, sender: "Sender", index: int, scheduled_ns: int) -> None:
        self.sender, self.index, self.scheduled_ns = sender, index, scheduled_ns

    def answered(self, answer: Answer) -> None:
        self.sender.on_answer(self, answer)


class Sender:
    """Waits for the next token's time, then for a permit, then sends: in schedule order, never early."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        transport: Transport,
        requests: Callable[[int], Request],
        budget: Budget,
        sender_counters: SenderCounters,
        answer_handler: AnswerHandler,
        timeout_s: float | None,
        spin_us: float,
    ) -> None:
        self._spin_ns = int(spin_us * 1000)
        self._loop, self._transport, self._requests = loop, transport, requests
        self._budget, self._sender_counters, self._answer_handler = budget, sender_counters, answer_handler
        self._tokens = TokenQueue()
        self._in_flight: dict[int, InFlightRequest] = {}
        self._most_in_flight = 0
        self._deadlines = Deadlines(loop, timeout_s, self._overdue)
        self._timer = best_timer(loop, self._timer_expired)
        self._lead_ns, self._timer_ns, self._lateness_ns = self._spin_ns, 0, 0.0
        self._last_ns = 0
        self._pump_scheduled = self._blocked = self._recheck_scheduled = self._stopped = False
        self._loop_monitor = LoopMonitor(loop)
        self.on_idle: Callable[[], None] | None = None

    @property
    def timer(self) -> str:
        """Name of the timer in use."""
        return self._timer.name

    def take(self, message: bytes) -> None:
        """Queue a batch of tokens."""
        if not self._stopped:
            self._tokens.extend(message)
            self.pump()

    def pump(self) -> None:
        """Send what is due and admitted, then arrange the wait for the next token."""
        self._blocked = False
        for _ in range(BURST):
            head = self._tokens.head()
            if head is None:
                return None
            index, scheduled_ns = head
            early_ns = scheduled_ns - now_ns()
            if early_ns > EARLY_NS and (early_ns > COLD_EARLY_NS or not self._is_cold(scheduled_ns)):
                return self._wait(scheduled_ns, early_ns)
            if not self._budget.admits(index):
                self._blocked = True  # until a request of this sender completes or another sender wakes it
                return self._schedule_recheck()
            self._tokens.pop()
            self._loop_monitor.end_spin()
            self._send(index, scheduled_ns)
        return self._schedule_pump()

    def _is_cold(self, scheduled_ns: int) -> bool:
        """Whether the last request was so long ago that the send path has left the CPU caches."""
        return scheduled_ns - self._last_ns > COLD_NS

    def _wait(self, scheduled_ns: int, early_ns: int) -> None:
        """Sleep until shortly before the time, then spin: run the loop without sleeping, so that answers are read."""
        if early_ns > self._lead_ns:
            self._timer_ns = scheduled_ns - self._lead_ns
            self._timer.set(self._timer_ns)
        else:
            self._loop_monitor.begin_spin()
            self._schedule_pump()

    def _timer_expired(self) -> None:
        """Track how late the timer fires (moving average), and set it that much earlier."""
        late_ns = now_ns() - self._timer_ns
        self._lateness_ns += (late_ns - self._lateness_ns) / 8
        if self._spin_ns:
            self._lead_ns = self._spin_ns + min(int(2 * self._lateness_ns), MAX_LATENESS_NS)
        self.pump()

    def _schedule_recheck(self) -> None:
        """Check for the permit again later, as a safeguard against a lost wake-up (see Budget)."""
        if not self._recheck_scheduled:
            self._recheck_scheduled = True
            self._loop.call_later(RECHECK_S, self._recheck)

    def _recheck(self) -> None:
        self._recheck_scheduled = False
        if self._blocked:
            self.pump()

    def _schedule_pump(self) -> None:
        if not self._pump_scheduled:
            self._pump_scheduled = True
            self._loop.call_soon(self._run_pump)

    def _run_pump(self) -> None:
        self._pump_scheduled = False
        self.pump()

    def on_wakeup(self) -> None:
        """Handle a wake-up: a permit may have become free."""
        self._budget.stop_waiting()
        self.pump()

    def _send(self, index: int, scheduled_ns: int) -> None:
        request = self._requests(index)
        flight = self._in_flight[index] = InFlightRequest(self, index, scheduled_ns)
        if len(self._in_flight) > self._most_in_flight:
            self._most_in_flight = len(self._in_flight)
        self._sender_counters.sent(index, now_ns())
        self._last_ns = scheduled_ns
        flight.exchange = self._transport.send(request, flight.answered, scheduled_ns)
        self._deadlines.add(flight)

    def on_answer(self, flight: InFlightRequest, answer: Answer) -> None:
        """Complete a request: return the permit and send what waits for it, then handle the answer."""
        del self._in_flight[flight.index]
        del flight.exchange  # break the reference cycle: garbage collection is off in a run
        self._budget.finish()
        if self._blocked:
            self.pump()
        self._answer_handler.take(flight.index, flight.scheduled_ns, answer)
        self._check_idle()

    def _overdue(self, flight: InFlightRequest) -> None:
        if self._in_flight.get(flight.index) is flight:
            self._give_up(flight, Outcome.TIMEOUT)
            self.pump()

    def _give_up(self, flight: InFlightRequest, outcome: Outcome) -> None:
        del self._in_flight[flight.index]
        exchange, first_byte_ns = flight.exchange, flight.exchange.first_byte_ns
        exchange.abandon()
        done_ns = now_ns()
        self._budget.finish()
        stamps = (flight.scheduled_ns, exchange.sent_ns, first_byte_ns, done_ns)
        self._answer_handler.give_up(flight.index, outcome, stamps, exchange)
        del exchange, flight.exchange

    def start(self) -> None:
        """Start to measure; called shortly before time zero."""
        self._loop_monitor.start()

    def figures(self) -> dict[str, Any]:
        """Resource usage and stalls (see LoopMonitor), the longest token queue, the most requests in flight."""
        return {
            **self._loop_monitor.figures(),
            "max_queued": self._tokens.max_length,
            "max_in_flight": self._most_in_flight,
        }

    def stop(self) -> None:
        """Stop sending; `on_idle` is called once nothing is in flight."""
        self._stopped = True
        self._tokens.clear()
        self._check_idle()

    def abandon(self, outcome: Outcome) -> None:
        """Give up all requests in flight and record them with `outcome`."""
        for flight in list(self._in_flight.values()):
            self._give_up(flight, outcome)
        self._check_idle()

    def _check_idle(self) -> None:
        if self._stopped and not self._in_flight and self.on_idle:
            on_idle, self.on_idle = self.on_idle, None
            on_idle()


class Deadlines:
    """Request timeouts. All have the same length, so they expire in send order and one loop timer serves all."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, timeout_s: float | None, overdue: Callable[[InFlightRequest], None]
    ) -> None:
        self._loop, self._overdue = loop, overdue
        self._timeout_ns = None if timeout_s is None else int(timeout_s * SECOND_NS)
        self._queue: deque[tuple[int, InFlightRequest]] = deque()
        self._armed = False

    def add(self, flight: InFlightRequest) -> None:
        """Start the timeout of a request."""
        if self._timeout_ns is not None:
            self._queue.append((now_ns() + self._timeout_ns, flight))
            self._arm()

    def _arm(self) -> None:
        if self._queue and not self._armed:
            self._armed = True
            self._loop.call_later(max(self._queue[0][0] - now_ns(), 0) / SECOND_NS, self._expire)

    def _expire(self) -> None:
        self._armed = False
        now = now_ns()
        while self._queue and self._queue[0][0] <= now:
            self._overdue(self._queue.popleft()[1])
        self._arm()
