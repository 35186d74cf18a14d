"""The recipe of `scripts/bench`."""

import argparse
import platform
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loadgen.pins import usable_cores
from scripts.benching import floor, parts, peers, tool, wrk
from scripts.benching.nginx import Nginx, install_missing, nginx
from scripts.benching.table import markdown, middle, seconds

RATES = (100, 1_000, 5_000, 10_000, 20_000, 30_000, 40_000)
TRANSPORTS = ("native", "aiohttp")
PERMITS = 5_000
MILLION = 1_000_000


@dataclass
class Bench:
    """What was measured so far. `runs` by (transport, rate), a run a round; `floors` and `wrks` a round each."""

    server: Nginx
    server_core: int
    sender_core: int
    run_s: float
    runs: dict[tuple[str, int], list[tool.Run]] = field(default_factory=lambda: defaultdict(list))
    floors: list[dict[str, float]] = field(default_factory=list)
    wrks: list[wrk.Wrk] = field(default_factory=list)
    given_up: set[str] = field(default_factory=set)

    def round(self) -> None:
        """One of everything, in turns."""
        self.floors.append(floor.measure(1000, self.run_s, self.sender_core))
        self.wrks.append(wrk.measure(self.server.small, self.sender_core, 16, max(2, int(self.run_s))))
        for rate in RATES:
            for transport in TRANSPORTS:
                if transport not in self.given_up:
                    self._one(transport, rate)

    def _one(self, transport: str, rate: int) -> None:
        run = self.rate(rate, transport)
        self.runs[transport, rate].append(run)
        tell(f"{transport} {rate}/s: {run.result['offered']['achieved_rate']:.0f}/s, lag p50 {lag(run, 'p50')}")
        if run.failed and rate > 1_000:
            self.given_up.add(transport)

    def rate(self, rate: int, transport: str = "native", *more: str, url: str = "") -> tool.Run:
        """One run at a finite rate."""
        count = max(int(rate * self.run_s), 10)
        return self.tool(
            "--request-rate", str(rate), "--num-prompts", str(count), "--transport", transport, *more, url=url
        )

    def tool(self, *words: str, url: str = "", memory: bool = False) -> tool.Run:
        """One run of this tool, pinned so that the sender has a core without the server."""
        pins = f"scheduler={self.server_core},collector={self.server_core},senders={self.sender_core}"
        shared = ("--base-url", url or self.server.small, "--senders", "1", "--pin", pins)
        concurrency = () if "--max-concurrency" in words else ("--max-concurrency", str(PERMITS))
        return tool.bench(*shared, *concurrency, *words, memory=memory)


def lag(run: tool.Run, name: str) -> str:
    """One figure of the lag, readable."""
    return seconds(run.result["lag"][name])


def main() -> None:
    """Measure as the flags say and print Markdown."""
    flags = read_flags()
    print(machine())
    if flags.parts:
        rows = [(piece, f"{rate:,.0f}") for piece, rate in parts.measure()]
        print(markdown(("piece, in isolation", "a second"), rows))
        return
    if missing := install_missing():
        sys.exit(f"scripts/bench needs {' and '.join(missing)}; install nginx-light and wrk, as root: apt-get install")
    cores = usable_cores()
    with nginx(cores[0]) as server:
        if flags.only_peers:
            print(peers_table(peers.measure(server.text)))
            return
        bench = Bench(server, cores[0], cores[-1], 2.0 if flags.quick else 5.0)
        for number in range(1 if flags.quick else flags.rounds):
            tell(f"round {number + 1}")
            bench.given_up.clear()
            bench.round()
        print(rates_table(bench))
        print(markdown(("what it must reach", "bound", "reached", ""), goals(bench, flags.quick)))
        if flags.peers:
            print(peers_table(peers.measure(server.text)))


def read_flags() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=sys.modules["scripts.benching"].__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of short runs")
    parser.add_argument("--rounds", type=int, default=3, help="medians are over this many (default: 3)")
    parser.add_argument("--parts", action="store_true", help="only the pieces in isolation")
    parser.add_argument("--peers", action="store_true", help="AIPerf too, installed from the package index")
    parser.add_argument("--only-peers", action="store_true", help="nothing but the peers")
    return parser.parse_args()


def machine() -> str:
    """Where and when."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in info if line.startswith("model name")), "unknown processor")
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    system = f"Linux {platform.release()}, Python {platform.python_version()}"
    return f"\n{len(usable_cores())} cores, {model}, {system}, {now}\n"


def rates_table(bench: Bench) -> str:
    """A row for each transport and rate: medians over the rounds."""
    own_floor = {name: middle([each[name] for each in bench.floors]) for name in ("p50", "p99", "max")}
    head = (
        "transport", "asked /s", "achieved /s", "failed", "lag p50", "lag p99", "lag max", "response p50", "response p99",
        "CPU ms/request: sender", "scheduler", "collector", "peak MB",
    )  # fmt: skip
    rows = [row(transport, rate, runs) for (transport, rate), runs in sorted(bench.runs.items(), reverse=False)]
    best, p50 = middle([each.rate for each in bench.wrks]), middle([each.p50_s for each in bench.wrks])
    note = (
        f"\nA bare timerfd on the sender's core, 1,000/s, in the same minutes: late by p50 {seconds(own_floor['p50'])}, "
        f"p99 {seconds(own_floor['p99'])}, max {seconds(own_floor['max'])}. "
        f"wrk on one core, closed loop, 16 connections: {best:,.0f}/s, latency p50 {seconds(p50)}.\n"
    )
    return markdown(head, rows) + "\n" + note


def row(transport: str, rate: int, runs: list[tool.Run]) -> tuple[str, ...]:
    """Medians of one transport at one rate."""

    def of(*keys: str) -> float | None:
        values: list[Any] = [run.result for run in runs]
        for key in keys:
            values = [value[key] for value in values]
        return middle(values)

    cpu = (
        f"{middle([run.cpu_ms_per_request(name) for run in runs]):.3f}"
        for name in ("sender 0", "scheduler", "collector")
    )
    return (
        transport, f"{rate:,}", f"{of('offered', 'achieved_rate'):,.0f}", f"{of('failed_requests'):.0f}",
        seconds(of("lag", "p50")), seconds(of("lag", "p99")), seconds(of("lag", "max")),
        seconds(of("response", "p50")), seconds(of("response", "p99")), *cpu, f"{middle([memory_mb(run) for run in runs]):.0f}",
    )  # fmt: skip


def memory_mb(run: tool.Run) -> float:
    """Peak resident memory of the tool's processes, each as it says itself, added up."""
    return float(sum(own.get("peak_memory_mb", 0.0) for own in run.result["self"].values()))


def goals(bench: Bench, quick: bool) -> list[tuple[str, str, str, str]]:
    """The figures of issue B that this project set itself."""
    found = [*_highest(bench), *_punctual(bench), *_large(bench)]
    pieces = dict(parts.measure())
    for name in ("scheduler: tokens", "collector: records"):
        found.append((f"{name} a second, in isolation", ">= 500,000", f"{pieces[name]:,.0f}", pieces[name] >= 500_000))
    if not quick:
        run = bench.tool("--num-prompts", str(MILLION), "--max-concurrency", "64", memory=True)
        found.append(
            ("1,000,000 requests, peak PSS of all processes", "<= 600 MB", f"{run.peak_mb:.0f} MB", run.peak_mb <= 600)
        )
    over = [bench.tool("--request-rate", "100", "--num-prompts", "10").wall_s - 0.09 for _ in range(3)]
    found.append(
        (
            "10 requests at 100/s, wall beyond the schedule",
            "<= 1.5 s",
            f"{middle(over):.2f} s",
            (middle(over) or 9) <= 1.5,
        )
    )
    idle = bench.tool("--request-rate", "1", "--num-prompts", "6" if quick else "21")
    share = sum(own.get("cpu_s", 0) for own in idle.result["self"].values()) / idle.result["duration"]
    found.append(
        ("CPU of all processes at 1/s, during the run", "<= 3 % of a core", f"{100 * share:.1f} %", share <= 0.03)
    )
    return [(what, bound, reached, "yes" if met else "no") for what, bound, reached, met in found]


Goal = tuple[str, str, str, bool]


def _highest(bench: Bench) -> list[Goal]:
    found: list[Goal] = []
    for transport, least in (("native", 30_000), ("aiohttp", 4_000)):
        good = [rate for (name, rate), runs in bench.runs.items() if name == transport and _holds(runs, transport)]
        best = max(good, default=0)
        if transport == "aiohttp" and best < least:
            best = max([best, *(rate for rate in (4_000,) if _holds([bench.rate(rate, transport)], transport))])
        found.append((f"highest rate held, {transport}", f">= {least:,}/s", f"{best:,}/s", best >= least))
        if transport == "native" and best:
            p50 = middle([run.result["response"]["p50"] for run in bench.runs[transport, best]]) or 9.0
            found.append((f"response p50 at {best:,}/s", "<= 150 us", seconds(p50), p50 <= 150e-6))
    return found


def _holds(runs: list[tool.Run], transport: str) -> bool:
    """Sent, answered, punctual, and for the native transport the answers read in time."""
    lag_s, response_s = (middle([run.result[kind]["p50"] for run in runs]) or 9.0 for kind in ("lag", "response"))
    sent = sum(run.failed for run in runs) * 2 < len(runs)
    return sent and lag_s < 100e-6 and (response_s <= 150e-6 or transport != "native")


def _punctual(bench: Bench) -> list[Goal]:
    runs = bench.runs["native", 1_000]
    p50, p99 = (middle([run.result["lag"][name] for run in runs]) or 0.0 for name in ("p50", "p99"))
    own = middle([each["p99"] for each in bench.floors]) or 0.0
    in_flight = max(1, round(middle([run.result["max_in_flight"] for run in runs]) or 1))
    extra = (middle([run.result["response"]["p50"] for run in runs]) or 9) - (
        wrk.measure(bench.server.small, bench.sender_core, in_flight, 2).p50_s
    )
    return [
        ("lag p50 at 1,000/s", "<= 10 us", seconds(p50), p50 <= 10e-6),
        ("lag p99 at 1,000/s", f"<= 1.5 x the floor's {seconds(own)}", seconds(p99), p99 <= 1.5 * own),
        (
            f"response p50 at 1,000/s beyond wrk's at {in_flight} in flight",
            "<= 150 us",
            seconds(extra),
            extra <= 150e-6,
        ),
    ]


def _large(bench: Bench) -> list[Goal]:
    theirs, ours, lags, floors = [], [], [], []
    for _ in range(3):
        theirs.append(wrk.measure(bench.server.big, bench.sender_core, 8, 3, "/big.json").bytes_s)
        run = bench.tool("--num-prompts", "3000", "--max-concurrency", "8", url=bench.server.big)
        ours.append(run.result["throughput_qps"] * 2e6)
        floors.append(floor.measure(100, bench.run_s, bench.sender_core)["p99"])
        lags.append(bench.rate(100, url=bench.server.big).result["lag"]["p99"])
    share = (middle(ours) or 0) / (middle(theirs) or 1)
    late, own = middle(lags) or 9.0, middle(floors) or 0.0
    return [
        ("2 MB answers, share of wrk's bytes/s on one core", ">= 0.8", f"{share:.2f}", share >= 0.8),
        ("lag p99 at 100/s of 2 MB answers", f"<= 2 x the floor's {seconds(own)}", seconds(late), late <= 2 * own),
    ]


def peers_table(found: list[tuple[int, Any]]) -> str:
    """What AIPerf says of itself."""
    rows: list[tuple[str, ...]] = []
    for rate, figures in found:
        if isinstance(figures, str):
            rows.append((f"{rate:,}", figures, "", ""))
            continue
        latency, through = figures.get("request_latency", {}), figures.get("request_throughput", {})
        times = [f"{latency.get(name, float('nan')):.1f} ms" for name in ("p50", "p99")]
        rows.append((f"{rate:,}", f"{through.get('avg', float('nan')):,.0f}", *times))
    return "\n" + markdown(("AIPerf, asked /s", "achieved /s", "latency p50", "latency p99"), rows)


def tell(text: str) -> None:
    """Say on standard error how far it is."""
    print(text, file=sys.stderr)


if __name__ == "__main__":
    main()
