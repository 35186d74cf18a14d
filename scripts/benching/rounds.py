"""Rounds: everything once, in turns, so that what is compared was measured in the same minutes."""

import sys
from collections import defaultdict
from dataclasses import dataclass, field

from scripts.benching import loadgen_run, timer_baseline, wrk
from scripts.benching.errors import NoResultError
from scripts.benching.nginx import Nginx
from scripts.benching.table import middle, seconds

RATES = (100, 1_000, 5_000, 10_000, 20_000, 30_000, 40_000)
LADDERS = {"native": RATES, "aiohttp": (*RATES[:2], 4_000, *RATES[2:])}  # 4,000/s is what aiohttp must reach
TIMER_RATES = (100, 1_000)
TRIED_ANYWAY = 1_000  # a rate up to here that failed was a stall of the machine: higher ones are tried too
PERMITS = 5_000
BUSY = 16  # connections that keep one core of wrk's busy


@dataclass(frozen=True, slots=True)
class Place:
    """Where it is measured: the server and its core, the sender's core, whether wrk is here, and s a run."""

    server: Nginx
    server_core: int
    sender_core: int
    has_wrk: bool
    run_s: float

    def bench(self, *arguments: str, url: str = "", watch: bool = False) -> loadgen_run.Run:
        """Run the tool, pinned so that the sender has a core without the server. Raises NoResultError."""
        pins = f"scheduler={self.server_core},collector={self.server_core},senders={self.sender_core}"
        shared = ("--base-url", url or self.server.small, "--senders", "1", "--pin", pins)
        permits = () if "--max-concurrency" in arguments else ("--max-concurrency", str(PERMITS))
        return loadgen_run.bench(*shared, *permits, *arguments, sampler_core=self.server_core if watch else None)

    def bench_at(self, rate: int, transport: str = "native", url: str = "") -> loadgen_run.Run:
        """Run the tool at a finite rate."""
        count = max(round(rate * self.run_s), 10)
        return self.bench("--request-rate", str(rate), "--num-prompts", str(count), "--transport", transport, url=url)

    def closed_loop(self, connections: int) -> list[wrk.Wrk]:
        """Run wrk on the sender's core, where it is here."""
        if not self.has_wrk:
            return []
        return [wrk.measure(self.server.small, self.sender_core, connections, max(2, round(self.run_s)))]

    def bare_timer(self, rate: int) -> timer_baseline.Lateness:
        """Run nothing but a timer on the sender's core."""
        return timer_baseline.measure(rate, self.run_s, self.sender_core)


@dataclass(slots=True)
class Rounds:
    """What was measured, a value a round; a transport that failed at a rate was not tried at the next in that round."""

    place: Place
    count: int = 0
    runs: dict[tuple[str, int], list[loadgen_run.Run]] = field(default_factory=lambda: defaultdict(list))
    timer_lateness: dict[int, list[timer_baseline.Lateness]] = field(default_factory=lambda: defaultdict(list))
    busy_wrk: list[wrk.Wrk] = field(default_factory=list)
    single_wrk: list[wrk.Wrk] = field(default_factory=list)

    def take(self) -> None:
        """Measure one round. Raises NoResultError where wrk gives no figures."""
        self.count += 1
        tell(f"round {self.count}")
        for rate in TIMER_RATES:
            self.timer_lateness[rate].append(self.place.bare_timer(rate))
        self.busy_wrk += self.place.closed_loop(BUSY)
        self.single_wrk += self.place.closed_loop(1)
        climbing = set(LADDERS)
        for rate, transport in sorted((rate, name) for name, ladder in LADDERS.items() for rate in ladder):
            if transport in climbing and self._fails(transport, rate) and rate > TRIED_ANYWAY:
                climbing.discard(transport)

    def _fails(self, transport: str, rate: int) -> bool:
        try:
            run = self.place.bench_at(rate, transport)
        except NoResultError as error:  # a round held less, and not the end of what others can show
            tell(f"{transport} {rate}/s: {error}")
            return True
        self.runs[transport, rate].append(run)
        achieved, lag_s = run.figure("offered", "achieved_rate"), run.figure("lag", "p50")
        tell(f"{transport} {rate}/s: {achieved:.0f}/s, lag p50 {seconds(lag_s)}{', failed' if run.failed else ''}")
        return run.failed

    def held(self, transport: str, rate: int) -> int:
        """In how many rounds the rate was sent and all of it answered."""
        return sum(not run.failed for run in self.runs.get((transport, rate), []))

    def highest(self, transport: str, most_lag_s: float) -> int:
        """Highest rate held in more than half of the rounds, with a median lag p50 below `most_lag_s`; 0 if none."""
        rates = [rate for name, rate in self.runs if name == transport]
        return max((rate for rate in rates if self._is_good(transport, rate, most_lag_s)), default=0)

    def _is_good(self, transport: str, rate: int, most_lag_s: float) -> bool:
        lag_s = self.figure(transport, rate, "lag", "p50")
        return self.held(transport, rate) * 2 > self.count and lag_s < most_lag_s

    def figure(self, transport: str, rate: int, *keys: str) -> float:
        """Median over the rounds of a figure of the result."""
        return middle(run.figure(*keys) for run in self.runs.get((transport, rate), []))


def tell(text: str) -> None:
    """Say on standard error how far it is."""
    print(text, file=sys.stderr, flush=True)
