"""`loadgen.api`: what the commands do, as functions."""

import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from loadgen import api
from loadgen.errors import UsageError
from loadgen.options import BenchOptions

DATA = api.DataOptions(dataset="random", task="t2i", num_prompts=30)
QUICK = api.SimulatorOptions(port=0, base_ms=5, unit_ms=0)
RATES = (50, 100)


@pytest.fixture(scope="module")
def options() -> Iterator[api.BenchOptions]:
    with api.simulated(QUICK) as url:
        yield api.BenchOptions(
            DATA,
            api.ArrivalOptions("poisson"),
            api.TargetOptions(base_url=url),
            slo=api.SloOptions(enabled=True, flat_ms=500),
            traffic=api.TrafficOptions(max_concurrency=256),
        )


@pytest.fixture(scope="module")
def swept(options: api.BenchOptions, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, api.CompletedSweep]:
    folder = tmp_path_factory.mktemp("sweeps") / "one"
    return folder, api.sweep(options, RATES, sweep_dir=folder, cool_down_s=0)


def test_a_sweep_has_a_point_a_rate_and_goes_on_from_its_folder(
    options: api.BenchOptions, swept: tuple[Path, api.CompletedSweep]
) -> None:
    folder, found = swept
    assert [point["rate"] for point in found.result["points"]] == list(RATES)
    assert (found.result["latency_from"], found.interrupted, found.died) == ("scheduled", False, ())
    assert orjson.loads((folder / "sweep.json").read_bytes())["points"] == found.result["points"]
    told: list[str] = []
    again = api.sweep(options, RATES, sweep_dir=folder, notify=told.append)
    assert told == ["50/s: already finished", "100/s: already finished"]
    assert again.result["points"] == found.result["points"]


def test_a_report_asks_a_saved_run_other_questions(swept: tuple[Path, api.CompletedSweep], tmp_path: Path) -> None:
    folder = swept[0] / "rate-50"
    as_it_was = api.report(folder)
    assert as_it_was.result["response"] == orjson.loads((folder / "summary.json").read_bytes())["response"]
    other = api.report(folder, slo_ms=1e-6, confidence=0.5, latency_from="sent")
    assert (other.result["slo_attainment_rate"], other.result["slo"]["requests"]) == (0.0, 30)
    assert (other.result["confidence"], other.result["latency_from"]) == (0.5, "sent")
    assert other.page().startswith(b"<!DOCTYPE html>")
    assert other.export("csv", tmp_path / "rows.csv") == 30
    assert (tmp_path / "rows.csv").read_text().count("\n") == 31


@pytest.mark.parametrize("asked", [{"latency_from": "done"}, {"slo_ms": 0}, {"confidence": 1}])
def test_a_question_that_makes_no_sense_is_named(swept: tuple[Path, api.CompletedSweep], asked: dict[str, Any]) -> None:
    with pytest.raises(api.RunError, match=next(iter(asked))):
        api.report(swept[0] / "rate-50", **asked)


def test_two_sweeps_are_compared_rate_by_rate(swept: tuple[Path, api.CompletedSweep]) -> None:
    found = api.compare(swept[0], swept[0])
    assert [one["rate"] for one in found.comparisons] == list(RATES)
    assert {figure["difference"] for one in found.comparisons for figure in one["figures"]} == {0.0}
    assert found.unmatched == []
    assert api.gate(found.comparisons, 0.0) == []
    with pytest.raises(api.RunError, match="different workloads"):
        api.compare(swept[0] / "rate-50", swept[0] / "rate-100")
    (forced,) = api.compare(swept[0] / "rate-50", swept[0] / "rate-100", force=True).comparisons
    assert any(told.startswith("arrivals.rate 50") for told in forced["workload_differences"])


def test_a_search_says_what_it_found_within_its_budget(options: api.BenchOptions, tmp_path: Path) -> None:
    found = api.search(options, 0.9, 15, start_rate=20, search_dir=tmp_path / "runs")
    assert found["duration_s"] <= found["time_limit_s"] == 15
    assert found["ended"] == "time_limit"
    assert found["tests"][0]["rate"] == 20
    assert found["tests"][0]["met"] <= found["tests"][0]["requests"]
    assert (tmp_path / "runs" / "run-001-rate-20" / "summary.json").exists()


Change = Callable[[BenchOptions], BenchOptions]
SAME: Change = lambda options: options  # noqa: E731


def with_arrivals(**changed: Any) -> Change:
    return lambda options: replace(options, arrivals=replace(options.arrivals, **changed))


@pytest.mark.parametrize(
    ("change", "call", "says"),
    [
        (SAME, lambda options: api.sweep(options, [5]), "two or more"),
        (SAME, lambda options: api.sweep(options, [0, 5]), "above 0"),
        (SAME, lambda options: api.sweep(options, [1, math.nan, 2]), "above 0"),
        (with_arrivals(rate=5.0), lambda options: api.sweep(options, RATES), "leave rate"),
        (with_arrivals(process="trace"), lambda options: api.sweep(options, RATES), "do not use process trace"),
        (with_arrivals(duration_s=5.0), lambda options: api.search(options, 0.9, 60), "duration_s"),
        (SAME, lambda options: api.search(options, 0.9, 5), "time-limit"),
        (SAME, lambda options: api.search(options, 1.0, 60), "min-attainment"),
        (SAME, lambda options: api.search(options, 0.9, 60, start_rate=0), "start-rate"),
    ],
)
def test_what_cannot_be_is_a_usage_error(
    options: api.BenchOptions, change: Change, call: Callable[[BenchOptions], object], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        call(change(options))


def test_a_search_outside_the_main_thread_says_why_it_cannot_be(options: api.BenchOptions) -> None:
    told: list[str] = []

    def search() -> None:
        try:
            api.search(options, 0.9, 60)
        except UsageError as error:
            told.append(str(error))

    thread = threading.Thread(target=search)
    thread.start()
    thread.join()
    assert len(told) == 1
    assert "main thread" in told[0]
