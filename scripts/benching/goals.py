"""Performance goals: each measured figure and its bound."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from scripts.benching import components, polling, wrk
from scripts.benching.errors import NoResultError
from scripts.benching.rounds import LADDERS, Place, Rounds, tell
from scripts.benching.table import markdown, middle, number, seconds

MILLION = 1_000_000
SENDER = "loadgen.engine.sender_process"
MOST_LAG_S, MOST_RESPONSE_S = 100e-6, 150e-6
LEAST_RATES = {"native": 30_000, "aiohttp": 4_000}


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure, its bound and whether it is met, None where it could not be measured."""

    what: str
    bound: str
    reached: str
    met: bool | None


def goals_table(rounds: Rounds, repeats: int, *, quick: bool) -> str:
    """Measure what the rounds have not, and return the table of goals."""
    words = {True: "yes", False: "no", None: "not measured"}
    rows = [(goal.what, goal.bound, goal.reached, words[goal.met]) for goal in _all(rounds, repeats, quick)]
    return markdown(("what it must reach", "bound", "reached", ""), rows)


def _all(rounds: Rounds, repeats: int, quick: bool) -> Iterator[Goal]:
    place = rounds.place
    yield from highest(rounds)
    yield from punctual(rounds)
    yield from tried("2 MB answers", lambda: large(place, repeats, 500 if quick else 3_000))
    yield from pieces()
    yield polls()
    if not quick:
        yield from tried("1,000,000 requests", lambda: million(place))
    yield from tried("run overhead", lambda: overhead(place, repeats))
    yield from tried("idling at 1/s", lambda: idle(place, 8 if quick else 21))


def tried(what: str, measure: Callable[[], list[Goal]]) -> list[Goal]:
    """Measure, and where that gives no result say so."""
    tell(what)
    try:
        return measure()
    except NoResultError as error:
        return [Goal(what, "", str(error), None)]


def highest(rounds: Rounds) -> Iterator[Goal]:
    """Highest rates held, and the response at the best of them."""
    for transport in LADDERS:
        best, least = rounds.highest(transport, MOST_LAG_S), LEAST_RATES[transport]
        yield Goal(f"highest rate held, lag p50 < 100 us, {transport}", f">= {least:,}/s", f"{best:,}/s", best >= least)
    best = rounds.highest("native", MOST_LAG_S)
    p50 = rounds.figure("native", best, "response", "p50")
    yield Goal(f"response p50 at {best:,}/s, native", "<= 150 us", seconds(p50), p50 <= MOST_RESPONSE_S)


def punctual(rounds: Rounds) -> Iterator[Goal]:
    """Lag and response at 1,000/s, beside the bare timer and wrk.

    At 1,000/s some 0.1 requests are in flight (Little), so wrk has one connection: more would flatter us, as they queue.
    """
    p50, p99 = (rounds.figure("native", 1_000, "lag", name) for name in ("p50", "p99"))
    floor_s = middle(each.p99 for each in rounds.timer_lateness[1_000])
    yield Goal("lag p50 at 1,000/s", "<= 10 us", seconds(p50), p50 <= 10e-6)
    yield Goal(
        "lag p99 at 1,000/s", f"<= 1.5 x the bare timer's {seconds(floor_s)}", seconds(p99), p99 <= 1.5 * floor_s
    )
    what, bound = "response p50 at 1,000/s minus wrk's with 1 connection", "<= 150 us"
    if not rounds.single_wrk:
        yield Goal(what, bound, "wrk is missing", None)
        return
    extra_s = rounds.figure("native", 1_000, "response", "p50") - middle(each.p50_s for each in rounds.single_wrk)
    yield Goal(what, bound, seconds(extra_s), extra_s <= 150e-6)


def large(place: Place, repeats: int, count: int) -> list[Goal]:
    """2 MB answers: the most of them, and the lag while 100 a second arrive. The share of wrk's is taken turn by turn."""
    shares, lags, timer_lateness = [], [], []
    for _ in range(repeats):
        if place.has_wrk:
            theirs = wrk.measure(place.server.big, place.sender_core, 8, 3, "/big.json").bytes_s
            run = place.bench("--num-prompts", str(count), "--max-concurrency", "8", url=place.server.big)
            shares.append(run.figure("throughput_qps") * place.server.big_bytes / theirs)
        timer_lateness.append(place.bare_timer(100).p99)
        lags.append(place.bench_at(100, url=place.server.big).figure("lag", "p99"))
    late_s, floor_s, share = middle(lags), middle(timer_lateness), middle(shares)
    met = share >= 0.8 if shares else None
    return [
        Goal("2 MB answers, share of wrk's bytes/s on one core", ">= 0.8", number(share, 2), met),
        Goal("lag p99 at 100/s of 2 MB answers", f"<= 2 x the bare timer's {seconds(floor_s)}", seconds(late_s), late_s <= 2 * floor_s),
    ]  # fmt: skip


def pieces() -> Iterator[Goal]:
    """Scheduler and collector in isolation."""
    for what, measure in (("scheduler: tokens", components.scheduler), ("collector: records", components.collector)):
        tell(what)
        rate = measure()
        yield Goal(f"{what} a second, in isolation", ">= 500,000", number(rate), rate >= 500_000)


def polls() -> Goal:
    """CPU of 100 jobs that are polled."""
    tell("polls of jobs")
    cost, least = (polling.measure(polling.GOAL_S, 5.0, poll) for poll in (polling.poll_jobs, polling.poll_bare))
    reached = f"{100 * cost.share:.1f} %; a bare loop {100 * least.share:.1f} %"
    what = f"CPU of polling {polling.JOBS} jobs of {polling.GOAL_S} s, {number(cost.polls)} polls a second"
    return Goal(what, "<= 5 % of a core", reached, cost.share <= polling.MOST_SHARE)


def million(place: Place) -> list[Goal]:
    """Memory over 1,000,000 requests, in a closed loop of 64."""
    run = place.bench("--num-prompts", str(MILLION), "--max-concurrency", "64", watch=True)
    peak, grown, answered = run.peak_mb(), run.growth_mb(SENDER), run.result["completed_requests"]
    return [
        Goal(f"peak PSS of all processes, {answered:,} answers", "<= 600 MB", f"{number(peak)} MB", peak <= 600),
        Goal("growth of the sender's own memory meanwhile", "flat: <= 10 MB", f"{number(grown, 1)} MB", grown <= 10),
    ]


def overhead(place: Place, repeats: int) -> list[Goal]:
    """Wall time of the whole command beyond the 9 gaps of 10 requests at 100/s."""
    over_s = middle(place.bench("--request-rate", "100", "--num-prompts", "10").wall_s - 0.09 for _ in range(repeats))
    return [Goal("10 requests at 100/s, wall beyond the schedule", "<= 1.5 s", seconds(over_s), over_s <= 1.5)]


def idle(place: Place, count: int) -> list[Goal]:
    """CPU at 1/s of all processes, the command itself and the sampler included."""
    share = place.bench("--request-rate", "1", "--num-prompts", str(count), watch=True).cpu_share()
    what = "CPU of all processes at 1/s, from time zero on"
    return [Goal(what, "<= 3 % of a core", f"{100 * share:.1f} %", share <= 0.03)]
