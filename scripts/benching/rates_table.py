"""The table of rates: a row for each transport and rate, medians over the rounds, beside the timer and wrk."""

from scripts.benching import loadgen_run, wrk
from scripts.benching.rounds import BUSY, LADDERS, Rounds
from scripts.benching.table import UNKNOWN, markdown, middle, number, seconds

HEAD = (
    "what", "asked /s", "achieved /s", "held in", "failed", "lag p50", "lag p99", "lag max", "response p50", "response p99",
    "CPU s per 1,000: sender", "scheduler", "collector", "peak RSS MB",
)  # fmt: skip
NOTE = """
Lag of the bare timer is its lateness. Held: at least 99 % of the rate sent, and all of it answered. A transport that was
not held is not tried at higher rates in that round. CPU and memory are of the run alone, as each process counts itself.
"""


def rates_table(rounds: Rounds) -> str:
    """Lay out all that the rounds measured."""
    rows = [_floor(rounds, rate) for rate in sorted(rounds.timer_lateness)]
    rows += [_wrk(rounds.busy_wrk, BUSY), _wrk(rounds.single_wrk, 1)]
    rows += [_row(rounds, transport, rate) for transport, rate in sorted(rounds.runs, key=_order)]
    return markdown(HEAD, [(*row, *[""] * (len(HEAD) - len(row))) for row in rows]) + "\n" + NOTE


def _order(key: tuple[str, int]) -> tuple[int, int]:
    return list(LADDERS).index(key[0]), key[1]


def _floor(rounds: Rounds, rate: int) -> list[str]:
    late = rounds.timer_lateness[rate]
    times = (middle(each.p50 for each in late), middle(each.p99 for each in late), middle(each.max for each in late))
    return ["bare timer", f"{rate:,}", "", "", "", *map(seconds, times)]


def _wrk(runs: list[wrk.Wrk], connections: int) -> list[str]:
    rate, p50_s = middle(run.rate for run in runs), middle(run.p50_s for run in runs)
    return [f"wrk, closed, {connections}", "", number(rate), "", "", "", "", "", seconds(p50_s)]


def _row(rounds: Rounds, transport: str, rate: int) -> list[str]:
    runs = rounds.runs[transport, rate]
    figures = {
        (kind, name): seconds(rounds.figure(transport, rate, kind, name))
        for kind, names in (("lag", ("p50", "p99", "max")), ("response", ("p50", "p99")))
        for name in names
    }
    cpu = [
        number(middle(run.cpu_ms_per_request(name) for run in runs), 3)
        for name in ("sender 0", "scheduler", "collector")
    ]
    return [
        transport, f"{rate:,}", number(rounds.figure(transport, rate, "offered", "achieved_rate")),
        f"{rounds.held(transport, rate)} of {rounds.count}", number(rounds.figure(transport, rate, "failed_requests")),
        *figures.values(), *cpu, number(middle(memory_mb(run) for run in runs)),
    ]  # fmt: skip


def memory_mb(run: loadgen_run.Run) -> float:
    """Peak resident memory of sender, scheduler and collector, each as it says itself, added up."""
    own = [process["peak_memory_mb"] for process in run.result["processes"].values() if "peak_memory_mb" in process]
    return float(sum(own)) if own else UNKNOWN
