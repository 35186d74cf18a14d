"""What `scripts/bench` reads and writes; how fast anything is, is not tested."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from collector.records.record import ErrorKind
from loadgen.backends import chat_completions
from scripts.benching import peers, process_usage, rates_table
from scripts.benching.__main__ import read_flags
from scripts.benching.errors import NoResultError
from scripts.benching.goals import highest, punctual
from scripts.benching.loadgen_run import Run, bench
from scripts.benching.nginx import Nginx, found, nginx
from scripts.benching.process_usage import ProcessUsage
from scripts.benching.rounds import Place, Rounds
from scripts.benching.table import UNKNOWN, markdown, middle, number, seconds
from scripts.benching.timer_baseline import Lateness
from scripts.benching.wrk import Wrk, parse

PLACE = Place(Nginx("http://a", "http://b", "http://c", 2_000_000), 0, 1, has_wrk=True, run_s=1.0)
WRK = """Running 2s test @ http://127.0.0.1:8099/v1/chat/completions
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   163.32us  350.06us  18.15ms   97.50%
    Req/Sec    95.35k     9.95k  107.29k    50.00%
  Latency Distribution
     50%  {p50}
     75%  125.00us
     99%    1.50ms
  199000 requests in 2.00s, 53.70MB read
{bad}Requests/sec:  95345.50
Transfer/sec:     {bytes}
"""


def run(achieved: float = 1_000, lag_p50: float | None = 1e-6, response_p50: float = 90e-6, ok: int = 1_000) -> Run:
    """A run at 1,000/s of 1,000 requests; 2 s of the sender's CPU."""
    lag = {"p50": lag_p50, "p99": 50e-6, "max": 1e-3}
    result: dict[str, Any] = {
        "offered": {"asked_rate": 1_000.0, "achieved_rate": achieved, "planned": 1_000}, "completed_requests": ok,
        "failed_requests": 1_000 - ok, "lag": lag, "response": {"p50": response_p50, "p99": 2e-3}, "duration": 10.0,
        "processes": {"sender 0": {"cpu_s": 2.0, "peak_memory_mb": 40.0}, "sampler": {}},
        "end": {"ended_ns": 30 * 10**9},
    }  # fmt: skip
    return Run(result, 1.0, [])


def rounds(count: int, **runs: list[Run]) -> Rounds:
    """Rounds with runs of the native transport at rates written r1000, and a bare timer with p99 of 100 us."""
    made = Rounds(PLACE, count)
    made.runs.update({("native", int(rate[1:])): own for rate, own in runs.items()})
    made.timer_lateness[1_000] = [Lateness(20e-6, 100e-6, 1e-3)] * count
    return made


@pytest.mark.parametrize(
    ("p50", "size", "expected"),
    [
        ("106.00us", "25.73MB", Wrk(95345.5, 25.73 * 1024**2, 106e-6)),
        ("1.06ms", "1.02GB", Wrk(95345.5, 1.02 * 1024**3, 1.06e-3)),
        ("1.50s", "12.00B", Wrk(95345.5, 12.0, 1.5)),
    ],
)
def test_figures_of_wrk_are_read_with_their_units(p50: str, size: str, expected: Wrk) -> None:
    found = parse(WRK.format(p50=p50, bytes=size, bad=""))
    assert (found.rate, found.bytes_s, found.p50_s) == pytest.approx((expected.rate, expected.bytes_s, expected.p50_s))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("unable to connect to 127.0.0.1:1 Connection refused", "Connection refused"),
        (WRK.format(p50="1.00ms", bytes="1.00MB", bad="  Non-2xx or 3xx responses: 7\n"), "responses: 7"),
        (WRK.format(p50="1.00ms", bytes="1.00MB", bad="  Socket errors: connect 0, read 3\n"), "read 3"),
    ],
)
def test_a_wrk_that_got_no_proper_answers_gives_no_figures(text: str, names: str) -> None:
    with pytest.raises(NoResultError, match=names):
        parse(text)


def test_columns_of_a_table_are_aligned() -> None:
    assert markdown(("a", "bb"), [("ccc", "d"), ("", "e")]).splitlines() == [
        "| a   | bb |",
        "| --- | -- |",
        "| ccc | d  |",
        "|     | e  |",
    ]


def test_what_is_not_known_is_a_dash_and_never_looks_good() -> None:
    assert (seconds(UNKNOWN), number(UNKNOWN), seconds(2e-3), number(12345.6)) == ("-", "-", "2.00 ms", "12,346")
    assert middle([1.0, UNKNOWN, UNKNOWN]) == UNKNOWN
    assert middle([]) == UNKNOWN
    assert middle([3.0, 1.0, UNKNOWN]) == 3.0
    assert run(lag_p50=None).figure("lag", "p50") == UNKNOWN


@pytest.mark.parametrize(
    ("achieved", "ok", "failed"), [(990.0, 1_000, False), (989.9, 1_000, True), (1_000.0, 999, True)]
)
def test_a_rate_is_held_when_99_in_100_were_sent_and_all_answered(achieved: float, ok: int, failed: bool) -> None:
    assert run(achieved, ok=ok).failed is failed


def test_cpu_is_counted_for_each_answer() -> None:
    assert run(ok=500).cpu_ms_per_request("sender 0") == 4.0  # 2 s over 500
    assert run().cpu_ms_per_request("collector") == UNKNOWN


def test_the_highest_rate_is_one_that_most_rounds_held_and_in_time() -> None:
    made = rounds(3, r1000=[run()] * 3, r5000=[run(), run(), run(ok=1)], r9000=[run()], r8000=[run(lag_p50=1.0)] * 3)
    assert made.highest("native", 100e-6) == 5_000
    assert made.highest("aiohttp", 100e-6) == 0
    assert [made.held("native", rate) for rate in (1_000, 5_000, 9_000, 2)] == [3, 2, 1, 0]


class Told(Place):
    """A place where the native transport fails above 5,000/s, and aiohttp gives no result at 100/s and at 4,000/s."""

    def bench_at(self, rate: int, transport: str = "native", url: str = "") -> Run:
        if transport == "aiohttp" and rate in (100, 4_000):
            raise NoResultError("no word")
        return run(ok=999 if rate > 5_000 else 1_000)

    def closed_loop(self, connections: int) -> list[Wrk]:
        return []

    def bare_timer(self, rate: int) -> Lateness:
        return Lateness(0, 0, rate)


def test_a_transport_climbs_until_it_fails_in_each_round_anew() -> None:
    made = Rounds(Told(PLACE.server, 0, 1, has_wrk=False, run_s=1.0))
    made.take()
    made.take()
    tried = {key: len(runs) for key, runs in made.runs.items()}
    natives = {("native", rate): 2 for rate in (100, 1_000, 5_000, 10_000)}
    assert tried == natives | {("aiohttp", 1_000): 2}  # a failure at 100/s is taken for a stall, one at 4,000/s is not
    assert made.count == 2
    assert {rate: len(own) for rate, own in made.timer_lateness.items()} == {100: 2, 1_000: 2}


def test_a_transport_that_held_nothing_reaches_no_goal() -> None:
    assert [(goal.reached, goal.met) for goal in highest(rounds(1, r1000=[run(ok=0)]))] == [
        ("0/s", False),
        ("0/s", False),
        ("-", False),
    ]


def test_punctuality_is_judged_beside_the_timer_and_wrk() -> None:
    made = rounds(1, r1000=[run(lag_p50=11e-6, response_p50=200e-6)])
    made.single_wrk = [Wrk(1.0, 1.0, 60e-6)]
    assert [(goal.reached, goal.met) for goal in punctual(made)] == [
        ("11.0 us", False),  # more than 10
        ("50.0 us", True),  # not more than 1.5 x 100
        ("140 us", True),  # 200 - 60
    ]


def test_without_wrk_its_goal_is_not_measured_and_the_others_are() -> None:
    assert [goal.met for goal in punctual(rounds(1, r1000=[run()]))] == [True, True, None]


def test_the_rates_stand_beside_the_timer_and_a_missing_wrk() -> None:
    lines = rates_table.rates_table(rounds(2, r1000=[run(), run(ok=900)])).splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:6]]
    assert [row[0] for row in cells] == ["bare timer", "wrk, closed, 16", "wrk, closed, 1", "native"]
    assert cells[0][5:8] == ["20.0 us", "100 us", "1.00 ms"]
    assert cells[1][2] == "-"
    assert cells[3][1:5] == ["1,000", "1,000", "1 of 2", "50"]  # the median of 0 and 100 failed
    assert cells[3][-1] == "40"


def test_a_process_is_read_from_proc_whatever_its_name() -> None:
    fields = ["S", "41", *["0"] * 9, "150", "50", "7", "7"]  # state, parent, ..., user, system, children's
    hertz = os.sysconf("SC_CLK_TCK")
    assert process_usage.parse_stat(f"42 (a) b (c) {' '.join(fields)}") == process_usage.Stat(41, 200 / hertz)


def test_memory_and_name_of_a_process_are_read() -> None:
    rollup = "55e4-7ffc ---p 00000000 00:00 0    [rollup]\nRss:  4096 kB\nPss:  2048 kB\nPss_Anon:  1024 kB\n"
    assert process_usage.parse_memory(rollup) == (2.0, 1.0)
    assert (
        process_usage.program("/v/bin/python\0-m\0loadgen.monitoring.stall_sampler\x0017\0")
        == "loadgen.monitoring.stall_sampler"
    )
    assert process_usage.program("/usr/sbin/nginx\0-c\0x\0") == "nginx"


def sights(*rows: tuple[float, float, float]) -> list[process_usage.Snapshot]:
    """Looks from (second, CPU s, own MB) at a sender, beside a parent of 10 MB that does nothing."""
    parent = ProcessUsage(0, "loadgen", 1.0, 10.0, 10.0)
    return [(parent, ProcessUsage(round(at * 1e9), "sender", cpu, 2 * own, own)) for at, cpu, own in rows]


def test_cpu_between_two_instants_is_on_straight_lines_between_the_looks() -> None:
    snapshots = sights((10, 1.0, 5), (20, 2.0, 5), (30, 6.0, 5))
    assert process_usage.cpu_s(snapshots, 15 * 10**9, 25 * 10**9) == pytest.approx(2.5)  # from 1.5 to 4.0
    assert Run(run().result, 1.0, snapshots).cpu_share() == pytest.approx(0.4)  # 4 s, in the 10 s that ended at 30


def test_memory_is_flat_when_it_does_not_grow_after_the_first_quarter() -> None:
    snapshots = sights((1, 0, 5), (2, 0, 20), (3, 0, 24), (4, 0, 21))
    assert process_usage.peak_mb(snapshots) == 58.0  # twice 24, and the parent
    assert process_usage.growth_mb(snapshots, "sender") == 4.0  # from 20 to 24
    assert process_usage.growth_mb(snapshots[:3], "sender") == UNKNOWN
    assert process_usage.peak_mb([]) == UNKNOWN


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_process_and_its_children_are_seen() -> None:
    arguments = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "0"]
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        with process_usage.sampled(os.getpid(), min(os.sched_getaffinity(0))) as snapshots:
            wait_until(
                lambda: any(
                    sight.name == "http.server" and sight.cpu_s > 0
                    for take_snapshot in snapshots
                    for sight in take_snapshot
                )
            )
        child.terminate()
    mine = next(sight for sight in snapshots[-1] if sight.name != "http.server")
    assert mine.pss_mb > mine.own_mb > 1


def test_a_process_that_is_not_to_be_watched_is_not_looked_at() -> None:
    with process_usage.sampled(os.getpid(), None) as snapshots:
        time.sleep(2 * process_usage.PERIOD_S)
    assert snapshots == []


def wait_until(comes_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not comes_true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_tool_that_gives_no_result_says_why() -> None:
    with pytest.raises(NoResultError, match=r"^loadgen bench --senders 0: .*--senders"):
        bench("--senders", "0")


def test_figures_of_a_peer_or_its_excuse_are_laid_out() -> None:
    figures = {"request_latency": {"p50": 6.25, "p99": 66.7}, "request_throughput": {"avg": 490.4}}
    rows = peers.peers_table([(500, figures), (2_000, "cannot be installed here: no network"), (3, {})]).splitlines()
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows[2:]]
    assert cells == [
        ["500", "490", "6.25 ms", "66.7 ms"],
        ["2,000", "cannot be installed here: no network", "", ""],
        ["3", "-", "-", "-"],
    ]


def test_quick_is_one_round() -> None:
    assert read_flags(["--quick", "--rounds", "5"]).rounds == 1
    assert read_flags([]).rounds == 3


def test_no_rounds_at_all_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_flags(["--rounds", "0"])
    assert "--rounds" in capsys.readouterr().err


@pytest.mark.skipif(not found("nginx"), reason="nginx is not installed")
def test_nginx_gives_answers_that_are_read_as_images_and_is_stopped_whatever_happens() -> None:
    with pytest.raises(KeyboardInterrupt), nginx(min(os.sched_getaffinity(0))) as server:
        interrupted_after_a_look_at(server)
    with pytest.raises(OSError, match="refused"):
        fetch(server.small)


def interrupted_after_a_look_at(server: Nginx) -> None:
    bodies = [fetch(f"{url}/v1/chat/completions") for url in (server.small, server.big)]
    assert [chat_completions.read(body, "t2i").error for body in bodies] == [ErrorKind.NONE] * 2
    assert len(bodies[1]) == server.big_bytes > 2_000_000
    assert all(fetch(f"{url}/health") for url in (server.small, server.big))
    assert b'"ok"' in fetch(f"{server.text}/v1/chat/completions")
    raise KeyboardInterrupt


def fetch(url: str) -> bytes:
    """POST nothing, as the tool does with something."""
    with urllib.request.urlopen(urllib.request.Request(url, data=b"{}"), timeout=10) as answer:
        return bytes(answer.read())
