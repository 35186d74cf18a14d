"""`loadgen sweep`: its rates, its folder, its knee, its charts, and the command as people run it."""

import argparse
import asyncio
import io
import os
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from rich.console import Console

from collector.report.html.sweep import page
from collector.report.terminal import chart
from collector.report.terminal.sweep import render
from collector.summary.result import LAYOUT
from collector.sweeps.knee import knee
from collector.sweeps.point import Estimate, Point
from loadgen.cli.exit_codes import Gates
from loadgen.cli.sweep import rates
from loadgen.errors import WarmupError
from loadgen.options import BenchOptions, DataOptions, TrafficOptions
from loadgen.planning.plan import Plan
from loadgen.runs.run import CompletedRun, Notify
from loadgen.sweeps import sweep as sweeps
from loadgen.sweeps.capacity_estimate import capacity
from loadgen.sweeps.runner import Runner
from loadgen.sweeps.slo_check import with_own_targets
from loadgen.sweeps.sweep import choose_rates
from loadgen.sweeps.sweep_folder import SweepDir, differences
from tests.report.test_html import looked_at
from tests.support.browser import tab
from tests.support.commands import SMALL, T2I, run

SWEEP = ("sweep", *T2I, "--arrival", "poisson", "--cool-down", "0", "--num-prompts", "30", "--slo-ms", "500")
QUICK = "--simulate=--base-ms 5 --unit-ms 0"


def estimate(value: float | None, ci: tuple[float, float | None] | None = None) -> Estimate:
    return Estimate(value=value, ci=list(ci) if ci else None)


def point(rate: float, throughput: float, mean: float | None, state: str = "VALID") -> Point:
    none = estimate(None)
    return Point(
        rate=rate, folder=f"rate-{rate:g}", state=state, reasons=[], requests=100, sent=100, failed=0,
        request_errors={}, achieved_rate=rate, max_in_flight=1, throughput=estimate(throughput),
        attainment=none, p50=none, p99=none, mean=mean,
    )  # fmt: skip


def test_the_knee_of_a_queue_is_at_half_of_its_capacity() -> None:
    points = [point(rate, rate, 1 / (1 - rate)) for rate in (0.1, 0.3, 0.5, 0.7, 0.9)]  # M/M/1, mu = 1
    assert knee(points)["rate"] == 0.5  # power rate (1 - rate): 0.09, 0.21, 0.25, 0.21, 0.09


@pytest.mark.parametrize(
    ("points", "rate", "says"),
    [
        ([point(1, 1, 1), point(2, 2, 1)], None, "or above"),
        ([point(1, 1, 1), point(2, 1, 2)], None, "or below"),
        ([point(1, 1, 1)], None, "fewer than two"),
        ([point(1, 1, 1), point(2, 2, 1, "INVALID"), point(3, 1.5, 1), point(4, 1, 2)], 3, "Kleinrock"),
        ([point(1, 1, 1), point(2, 2, 1), point(3, 3, 1, "CAPPED"), point(4, 1, None)], None, "or above"),
    ],
)
def test_a_knee_is_seen_only_between_valid_rates(points: list[Point], rate: float | None, says: str) -> None:
    found = knee(points)
    assert found["rate"] == rate
    assert says in found["note"]


def test_rates_are_sorted_and_counted_once() -> None:
    assert rates("2,0.1, 0.5,2.0") == (0.1, 0.5, 2.0)
    assert rates("auto") == ()


@pytest.mark.parametrize("text", ["1", "1,1.0", "", "0,1", "-1,2", "1,inf", "nan,1", "1,nan,2", "fast,1"])
def test_fewer_than_two_rates_are_bad_usage(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        rates(text)


def test_a_chart_has_a_mark_and_a_line_for_the_interval() -> None:
    scale = chart.scale_of([estimate(5, (2.5, 10)), estimate(None)], log=False)
    assert scale == chart.Scale(0, 10, log=False)
    assert scale is not None
    places = [scale.column(value) for value in (0, 2.5, 5, 10)]
    assert places == [0, 12, 24, 47]
    assert chart.row(estimate(5, (2.5, 10)), scale) == " " * 12 + "|" + "-" * 11 + "*" + "-" * 22 + "|"
    assert chart.row(estimate(5, (2.5, None)), scale).endswith("->")
    assert chart.row(estimate(None), scale) == ""


def test_a_logarithmic_chart_gives_equal_room_to_equal_ratios() -> None:
    scale = chart.scale_of([estimate(1), estimate(100)], log=True)
    assert scale is not None
    assert scale.column(10) == round(47 / 2)
    assert chart.scale_of([estimate(None)], log=True) is None


def test_what_differs_is_named_by_its_path() -> None:
    one, other = {"a": {"b": 1, "c": [1]}, "d": None}, {"a": {"b": 2, "c": [1]}, "d": None}
    assert list(differences(one, other)) == ["a.b was 1 and is 2"]


def swept(folder: Path, *words: str, code: int = 0) -> tuple[dict[str, Any], str]:
    place = folder.parent / "out.json"
    returned, out, err = run(*SWEEP, QUICK, "--sweep-dir", str(folder), "--output-file", str(place), *words)
    assert returned == code, err
    return orjson.loads(place.read_bytes()) if code == 0 else {}, out + err


def test_an_interrupted_sweep_continues(tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    found, out = swept(folder, "--rates", "50,100")
    assert [(one["rate"], one["folder"], one["requests"]) for one in found["points"]] == [
        (50, "rate-50", 30),
        (100, "rate-100", 30),
    ]
    assert found["points"][0]["attainment"]["value"] is not None
    assert "throughput" in out
    on_disk = orjson.loads((folder / "sweep.json").read_bytes())
    assert on_disk["points"] == found["points"]
    assert on_disk["rates"] == [50, 100]

    (folder / "rate-100" / "summary.json").unlink()  # as `kill -9` leaves it
    kept = (folder / "rate-50" / "records.bin").stat().st_mtime_ns
    again, _ = swept(folder, "--rates", "50,100,150")
    assert [one["rate"] for one in again["points"]] == [50, 100, 150]
    assert again["points"][0] == found["points"][0]
    assert (folder / "rate-50" / "records.bin").stat().st_mtime_ns == kept
    assert (folder / "unfinished" / "rate-100-1" / "records.bin").exists()

    _, err = swept(folder, "--rates", "50,100", "--slo-ms", "700", "--model", "another", code=2)
    assert "holds a sweep with another config (slo.flat_ms was 500.0 and is 700.0" in err or "target.model" in err
    assert "name a new folder" in err


@pytest.mark.parametrize(
    ("name", "damage", "says"),
    [
        ("sweep.json", {"rates": [50.0, 0.0]}, "invalid rates"),
        ("sweep.json", {"slo": {"model": "linear"}}, "invalid rates or targets"),
        ("sweep.json", {"slo": [1]}, "invalid rates or targets"),
        ("rate-50/summary.json", {"response": None}, "rate-50"),
        ("rate-50/summary.json", {"verdict": {}}, "rate-50"),
    ],
)
def test_a_sweep_does_not_continue_from_damaged_files(
    name: str, damage: dict[str, Any], says: str, finished_sweep: Path
) -> None:
    path = finished_sweep / name
    before = path.read_bytes()
    path.write_bytes(orjson.dumps({**orjson.loads(before), **damage}))
    _, err = swept(finished_sweep, "--rates", "50,100", code=2)
    path.write_bytes(before)
    assert ("damaged" in err, says in err, "Traceback" in err) == (True, True, False)


@pytest.mark.parametrize("name", ["sweep.json", "rate-50/run.json"])
def test_a_sweep_of_another_layout_is_refused_in_one_line(name: str, finished_sweep: Path) -> None:
    path = finished_sweep / name
    before = path.read_bytes()
    path.write_bytes(orjson.dumps({**orjson.loads(before), "layout": 1}))
    _, err = swept(finished_sweep, "--rates", "50,100", code=2)
    path.write_bytes(before)
    assert f"{path}: layout 1, expected layout {LAYOUT}; make it again, or read it with the version that" in err


@pytest.fixture(scope="module")
def finished_sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    swept(folder, "--rates", "50,100")
    return folder


def runner_with(throughputs: dict[int, float], budget: int = 64) -> tuple[Runner, list[tuple[int, int]]]:
    """A runner with this throughput (requests/s) by concurrency in a closed loop, and the runs it is asked for."""
    asked: list[tuple[int, int]] = []

    def run_at_rate(plan: Plan, options: BenchOptions, _folder: Path | None) -> CompletedRun:
        asked.append((options.traffic.max_concurrency, len(plan)))
        result: Any = {"throughput_qps": throughputs.get(asked[-1][0]), "slo": {}}
        return CompletedRun(result, interrupted=False, died=())

    data = DataOptions(dataset="random", task="t2i")
    return Runner(BenchOptions(data=data, traffic=TrafficOptions(max_concurrency=budget)), run_at_rate), asked


def test_the_capacity_estimate_doubles_the_concurrency_until_throughput_stops_rising() -> None:
    runner, asked = runner_with({1: 10, 2: 19, 4: 36, 8: 40})
    assert capacity(runner) == 40  # 40 is less than a quarter more than 36
    assert asked == [(1, 8), (2, 16), (4, 32), (8, 64)]


def test_the_capacity_estimate_stays_within_max_concurrency() -> None:
    runner, asked = runner_with({1: 10, 2: 20, 4: 40}, budget=2)
    assert capacity(runner) == 20
    assert len(asked) == 2


def test_a_capacity_estimate_without_a_success_says_so() -> None:
    with pytest.raises(WarmupError, match="no request of the capacity estimate succeeded"):
        capacity(runner_with({})[0])


def test_warm_ups_that_all_fail_end_a_sweep_which_keeps_the_rates_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_point(_folder: SweepDir, _runner: Runner, rate: float, _notify: Notify) -> Point:
        if rate > 1:
            raise WarmupError("no warm-up succeeded")
        return point(rate, rate, 1)

    monkeypatch.setattr(sweeps, "_point", one_point)
    notices: list[str] = []
    with sweeps.open_sweep_dir(tmp_path, {}) as folder:
        completed = sweeps.run_all_rates(runner_with({})[0], folder, (1.0, 2.0, 3.0), notices.append)
        with pytest.raises(WarmupError):
            sweeps.run_all_rates(runner_with({})[0], folder, (2.0, 3.0), notices.append)
    assert completed.warmup_error == "2.00/s: no warm-up succeeded"
    assert [one["rate"] for one in completed.result["points"]] == [1.0]
    assert notices[0].startswith("no request has an SLO target, so there will be no attainment; give --slo-ms or --slo")


def test_a_sweep_judges_by_the_targets_of_its_data_set_without_a_flag(tmp_path: Path) -> None:
    trace = tmp_path / "trace.txt"
    row = "Request(request_id='{}', timestamp={}, prompt='a cat', height=64, width=64{})\n"
    for slo, enabled in (("", False), (", slo_ms=4000", True)):
        trace.write_text("".join(row.format(k, k, slo if k else "") for k in range(3)))
        data = DataOptions(dataset="trace", task="t2i", dataset_path=str(trace))
        assert with_own_targets(BenchOptions(data=data)).slo.enabled == enabled
    assert not with_own_targets(BenchOptions(data=DataOptions(dataset="random", task="t2i"))).slo.enabled


def test_a_sweep_says_before_it_sends_anything_that_it_has_no_target(tmp_path: Path) -> None:
    code, _, err = run(
        *("sweep", *SMALL.split()[:-3], "--simulate=--base-ms 1", "--rates", "50,100", "--num-prompts", "3"),
        *("--cool-down", "0", "--senders", "1"),
    )
    assert code == 0, err
    assert err.index("no request has an SLO target") < err.index("50/s")


def test_gates_of_a_sweep_name_the_rate_the_figure_and_the_bound() -> None:
    failing = {**point(2, 2, 1), "failed": 30, "request_errors": {"http_503": 30}}
    gates = Gates(strict=True, max_error_rate=0.05)
    points = [point(1, 1, 1), cast("Point", failing), point(4, 4, 1, "CAPPED")]
    assert gates.failures_of_sweep(points) == [
        "at 2.00/s 30 of 100 requests failed (30 %: http_503), --max-error-rate is 5 %",
        "at 4.00/s the verdict is CAPPED, --strict asks for VALID",
    ]


def test_the_share_that_failed_stands_beside_the_verdict_of_a_rate() -> None:
    failing = cast("Point", {**point(2, 2, 1), "failed": 30, "request_errors": {"http_503": 30}})
    swept = {
        "rates": [1, 2],
        "points": [point(1, 1, 1), failing],
        "knee": {"rate": None, "note": "?"},
        "slo": None,
        "latency_from": "scheduled",
        "confidence": 0.95,
        "config": {"target": {"model": "m"}, "data": {"task": "t2i", "dataset": "random"}},
    }
    screen = io.StringIO()
    render(swept, Console(file=screen, width=120))
    assert "VALID load, 30 of 100 requests failed (http_503)" in " ".join(screen.getvalue().split())
    html = page(swept).decode()
    assert (
        'VALID load, <strong class="failed">30 of 100 requests failed</strong> <span class="kinds">(http_503)</span>'
        in html
    )


def test_automatic_rates_go_up_by_a_constant_factor() -> None:
    found = choose_rates(runner_with({1: 100, 2: 100})[0], lambda _: None)
    assert found == (15, 21.2, 30, 42.4, 60, 84.9, 120)  # 0.15 to 1.2 times 100, sqrt(2) apart


def test_targets_from_warm_ups_are_those_of_the_first_rate(tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    code, _, err = run(
        *SWEEP[:-2], "--slo", "--rates", "50,100", "--sweep-dir", str(folder), f"{QUICK} --service exponential"
    )
    assert code == 0, err
    first, second = (orjson.loads((folder / name / "run.json").read_bytes())["slo"] for name in ("rate-50", "rate-100"))
    assert second["unit_ms"] == first["unit_ms"]
    assert (folder / "rate-50" / "plan.bin").stat().st_size == (folder / "rate-100" / "plan.bin").stat().st_size


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--rates", "5"), "two rates or more"),
        (("--rates", "5,6", "--request-rate", "5"), "--request-rate"),
        (("--rates", "5,6", "--run-dir", "x"), "--run-dir"),
        (("--rates", "5,6", "--arrival", "trace"), "--arrival trace"),
        (("--rates", "5,6", "--min-slo-attainment", "0.9"), "--min-slo-attainment"),
        (("--rates", "5,6", "--sweep-dir", str(Path(__file__).parent)), "is not empty and holds no sweep"),
    ],
)
def test_bad_usage_of_a_sweep_is_one_line(words: tuple[str, ...], says: str) -> None:
    code, _, err = run(*SWEEP, QUICK, *words)
    assert code == 2
    assert says in err
    assert err.count("\n") == 1


def a_sweep(*points: Point) -> dict[str, Any]:
    config = {"target": {"model": "<script>window.hostile = 1</script>"}, "data": {"task": "t2i", "dataset": "random"}}
    rates_of = [one["rate"] for one in points]
    return {
        "points": list(points), "rates": rates_of, "knee": knee(points), "confidence": 0.95, "config": config,
        "latency_from": "scheduled",
    }  # fmt: skip


def full(rate: float, attained: float) -> Point:
    some = {
        "attainment": estimate(attained, (attained - 0.05, min(attained + 0.05, 1.0))),
        "p50": estimate(1 / (10 - rate), (0.5 / (10 - rate), 2 / (10 - rate))),
        "p99": estimate(5 / (10 - rate), (4 / (10 - rate), None)),
        "throughput": estimate(rate, (0.9 * rate, 1.1 * rate)),
    }
    return {**point(rate, rate, 1 / (10 - rate)), **some}  # type: ignore[typeddict-item]


def test_a_browser_draws_the_page_of_a_sweep_offline(tmp_path: Path) -> None:
    whole = a_sweep(full(2, 0.99), full(5, 0.9), full(8, 0.3))
    (tmp_path / "whole.html").write_bytes(page(whole))
    (tmp_path / "bare.html").write_bytes(page(a_sweep(point(1, 1, 1))))  # no SLO, no latency, one rate

    async def look() -> None:
        async with tab() as found:
            for name, plots in (("whole", 3), ("bare", 1)):
                for width, dark in ((1280, False), (360, True)):
                    counts = await looked_at(found, tmp_path / f"{name}.html", width=width, dark=dark)
                    assert len(counts) == plots
                    assert min(counts) >= 5, (name, width, counts)
            await found.open(tmp_path / "whole.html")
            if shots := os.environ.get("LOADGEN_SCREENSHOTS"):
                await found.screenshot(Path(shots) / "sweep.png")

    asyncio.run(look())


def test_the_page_of_a_sweep_says_the_knee_first_and_has_every_figure() -> None:
    html = page(a_sweep(full(2, 0.99), full(5, 0.9), full(8, 0.3))).decode()
    assert "Knee at 5.00/s" in html
    for figure in ("99 %", "94 % - 100 %", "200 ms", "1.00 s", "800 ms - inf", "4.50/s - 5.50/s"):
        assert figure in html, figure
    assert "<script>window.hostile" not in html
