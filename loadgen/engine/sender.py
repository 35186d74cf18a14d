"""A sender: turns tokens into HTTP exchanges, each at its time and within the shared budget."""

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

LOOK_S: Final = 0.05
BURST: Final = 16  # requests sent in one go before answers are let in
LATENESS_NS: Final = 500_000  # of waking, at most this much is made up for; the rest is the machine's
EARLY_NS: Final = 5_000  # taken up this long before its time, which is what getting ready to write takes
COLD_NS: Final = 500_000  # after a pause this long ...
COLD_EARLY_NS: Final = 30_000  # ... it takes that


class InFlightRequest:
    """One request on its way; `answered` is what the transport calls."""

    __slots__ = ("exchange", "index", "scheduled_ns", "sender")
    exchange: Exchange

    def __init__(self, sender: "Sender", index: int, scheduled_ns: int) -> None:
        self.sender, self.index, self.scheduled_ns = sender, index, scheduled_ns

    def answered(self, answer: Answer) -> None:
        self.sender.land(self, answer)


class Sender:
    """Waits for the head of its queue, for a permit, then sends: in schedule order, never early."""

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
        self._flying: dict[int, InFlightRequest] = {}
        self._most_flying = 0
        self._deadlines = Deadlines(loop, timeout_s, self._overdue)
        self._timer = best_timer(loop, self._woken)
        self._lead_ns, self._ring_ns, self._late_ns = self._spin_ns, 0, 0.0
        self._last_ns = 0
        self._going = self._blocked = self._looking = self._stopped = False
        self._loop_monitor = LoopMonitor(loop)
        self.on_idle: Callable[[], None] | None = None

    @property
    def timer(self) -> str:
        """How this sender waits for a planned time."""
        return self._timer.name

    def take(self, message: bytes) -> None:
        """Queue a batch of tokens."""
        if not self._stopped:
            self._tokens.extend(message)
            self.pump()

    def pump(self) -> None:
        """Send what is due and admitted; see to it that the next one is not forgotten."""
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
                self._blocked = True  # until one of ours lands, or another sender rings
                return self._look_again()
            self._tokens.pop()
            self._loop_monitor.work()
            self._send(index, scheduled_ns)
        return self._go_round()

    def _is_cold(self, scheduled_ns: int) -> bool:
        """Whether the last request is so long ago that the way to the socket has left the caches."""
        return scheduled_ns - self._last_ns > COLD_NS

    def _wait(self, scheduled_ns: int, early_ns: int) -> None:
        """Sleep until shortly before the time, then go round the loop without sleeping, so that answers are read."""
        if early_ns > self._lead_ns:
            self._ring_ns = scheduled_ns - self._lead_ns
            self._timer.set(self._ring_ns)
        else:
            self._loop_monitor.wait_awake()
            self._go_round()

    def _woken(self) -> None:
        """Learn how late this machine wakes a sleeper, so that the alarm is set that much earlier still."""
        late_ns = now_ns() - self._ring_ns
        self._late_ns += (late_ns - self._late_ns) / 8
        if self._spin_ns:
            self._lead_ns = self._spin_ns + min(int(2 * self._late_ns), LATENESS_NS)
        self.pump()

    def _look_again(self) -> None:
        """Ask for the permit once more in a while, should a ring ever be lost (see Budget): late beats never."""
        if not self._looking:
            self._looking = True
            self._loop.call_later(LOOK_S, self._look)

    def _look(self) -> None:
        self._looking = False
        if self._blocked:
            self.pump()

    def _go_round(self) -> None:
        if not self._going:
            self._going = True
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._going = False
        self.pump()

    def rung(self) -> None:
        """A permit that this sender waits for may have come free."""
        self._budget.woken()
        self.pump()

    def _send(self, index: int, scheduled_ns: int) -> None:
        request = self._requests(index)
        flight = self._flying[index] = InFlightRequest(self, index, scheduled_ns)
        if len(self._flying) > self._most_flying:
            self._most_flying = len(self._flying)
        self._sender_counters.sent(index, now_ns())
        self._last_ns = scheduled_ns
        flight.exchange = self._transport.send(request, flight.answered, scheduled_ns)
        self._deadlines.add(flight)

    def land(self, flight: InFlightRequest, answer: Answer) -> None:
        """A request has its answer: first the permit and whoever waits for it, then the look into the body."""
        del self._flying[flight.index]
        del flight.exchange  # they know each other, and nobody collects cycles during a run
        self._budget.finish()
        if self._blocked:
            self.pump()
        self._answer_handler.take(flight.index, flight.scheduled_ns, answer)
        self._check_idle()

    def _overdue(self, flight: InFlightRequest) -> None:
        if self._flying.get(flight.index) is flight:
            self._give_up(flight, Outcome.TIMEOUT)
            self.pump()

    def _give_up(self, flight: InFlightRequest, outcome: Outcome) -> None:
        del self._flying[flight.index]
        exchange, first_byte_ns = flight.exchange, flight.exchange.first_byte_ns
        exchange.abandon()
        done_ns = now_ns()
        self._budget.finish()
        stamps = (flight.scheduled_ns, exchange.sent_ns, first_byte_ns, done_ns)
        self._answer_handler.give_up(flight.index, outcome, stamps, exchange.milestones, exchange.flags)
        del exchange, flight.exchange

    def start(self) -> None:
        """Time zero is near: measure from here on."""
        self._loop_monitor.start()

    def vitals(self) -> dict[str, Any]:
        """What this sender cost, its stalls, its longest queue, and for how long it only waited awake."""
        return {**self._loop_monitor.signs(), "max_queued": self._tokens.most, "max_in_flight": self._most_flying}

    def stop(self) -> None:
        """Send nothing more; `on_idle` is called once nothing is in flight."""
        self._stopped = True
        self._tokens.clear()
        self._check_idle()

    def abandon(self, outcome: Outcome) -> None:
        """Give up everything in flight."""
        for flight in list(self._flying.values()):
            self._give_up(flight, outcome)
        self._check_idle()

    def _check_idle(self) -> None:
        if self._stopped and not self._flying and self.on_idle:
            on_idle, self.on_idle = self.on_idle, None
            on_idle()


class Deadlines:
    """Time-outs of requests. All are equally long, so the first sent is the first due and one timer serves all."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, timeout_s: float | None, overdue: Callable[[InFlightRequest], None]
    ) -> None:
        self._loop, self._overdue = loop, overdue
        self._timeout_ns = None if timeout_s is None else int(timeout_s * SECOND_NS)
        self._queue: deque[tuple[int, InFlightRequest]] = deque()
        self._armed = False

    def add(self, flight: InFlightRequest) -> None:
        """Watch a request from now on."""
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
