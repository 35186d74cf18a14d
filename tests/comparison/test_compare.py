"""`loadgen compare`: what two runs differ by, how sure that is, and what is refused."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from collector.comparison import source
from collector.comparison.compare import Comparison, compare
from collector.comparison.difference import Difference
from collector.comparison.figures import FIGURES
from collector.records.record import Outcome
from collector.report import json
from collector.report.saved_report import again
from collector.saved.run_folder import read_run
from loadgen.cli.main import main
from tests.support.commands import T2I, bench, run
from tests.support.folders import write_run

RANDOM = np.random.default_rng(5)
ARRIVALS_S = np.arange(600) / 10
RESPONSE_S = RANDOM.exponential(0.2, 600) + 0.1
PAIR = ("a", "b")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Folders a, b (as fast, other noise) and slow (30 % slower than a), all of one plan."""
    noise = RANDOM.exponential(0.2, 600) + 0.1
    for name, response_s in (("a", RESPONSE_S), ("b", noise), ("slow", 1.3 * noise)):
        write_run(tmp_path / name, ARRIVALS_S, response_s, slo_ms=800)
    return tmp_path


def compared(a: Path, b: Path, **asked: Any) -> Comparison:
    return compare(source.read(a), source.read(b), **asked)


def figure(comparison: Comparison, name: str) -> Difference:
    return next(found for found in comparison["figures"] if found["figure"] == name)


def loadgen(*words: str | Path) -> int:
    return main(["compare", *map(str, words)])


def test_a_difference_that_is_there_is_found_and_its_interval_holds_it(runs: Path) -> None:
    found = compared(runs / "b", runs / "slow")
    assert (found["method"], found["paired"]) == ("bootstrap", True)
    for name in ("response_p50", "response_p90", "service_p99"):
        change = figure(found, name)
        assert change["conclusion"] == "worse"
        assert change["change"] == pytest.approx(0.3)
        assert change["change_ci"] is not None
        assert change["change_ci"] == pytest.approx((0.3, 0.3), abs=1e-6)  # the same noise: paired, nothing is left
    assert figure(compared(runs / "a", runs / "b"), "response_p50")["conclusion"] == "unclear"


def test_the_figures_compared_are_those_that_the_report_has(runs: Path) -> None:
    saved = read_run(runs / "slow")
    result = again(saved, saved.info)
    found = compared(runs / "a", runs / "slow")
    assert figure(found, "response_p99")["b"] == result["response"]["p99"]
    assert figure(found, "throughput")["b"] == pytest.approx(result["throughput_qps"])
    assert figure(found, "attainment")["b"] == result["slo_attainment_rate"]
    assert found["b"]["verdict"] == result["verdict"]


def test_a_percentile_that_falls_among_what_never_ended_is_infinitely_worse(tmp_path: Path) -> None:
    timeouts = np.where(np.arange(600) % 5 == 0, Outcome.TIMEOUT, Outcome.OK)
    write_run(tmp_path / "a", ARRIVALS_S, RESPONSE_S)
    write_run(tmp_path / "b", ARRIVALS_S, RESPONSE_S, outcome=timeouts)
    found = compared(tmp_path / "a", tmp_path / "b")
    p90, errors = figure(found, "response_p90"), figure(found, "error_share")
    assert (p90["b"], p90["change_ci"], p90["conclusion"]) == (math.inf, (math.inf, math.inf), "worse")
    assert (errors["a"], errors["b"], errors["conclusion"]) == (0, 0.2, "worse")
    assert figure(found, "throughput")["conclusion"] == "worse"
    assert orjson.loads(json.dump(found))["figures"][1]["change_ci"] == ["inf", "inf"]


def test_a_run_that_only_failed_is_infinitely_slower_and_has_no_throughput_left(tmp_path: Path) -> None:
    bursts = np.repeat(np.arange(30) * 2.0, 20) + np.arange(600) * 1e-3  # completions that remember
    write_run(tmp_path / "a", bursts, RESPONSE_S)
    write_run(tmp_path / "b", bursts, RESPONSE_S, outcome=np.full(600, Outcome.TIMEOUT))
    write_run(tmp_path / "c", bursts, RESPONSE_S, outcome=np.full(600, Outcome.ERROR))
    timeouts, errors = compared(tmp_path / "a", tmp_path / "b"), compared(tmp_path / "a", tmp_path / "c")
    assert figure(timeouts, "response_p50")["conclusion"] == "worse"
    assert figure(errors, "response_p50")["no_interval"] == "needs n >= 6"
    for found in (timeouts, errors):
        assert (figure(found, "throughput")["change_ci"], figure(found, "error_share")["change"]) == ((-1, -1), 1)


def test_no_failure_seen_is_not_taken_for_no_failure_at_all(runs: Path) -> None:
    """0 of 600: Clopper and Pearson's upper end is 1 - 0.025 ** (1 / 600)."""
    most = 1 - 0.025 ** (1 / 600)
    assert figure(compared(runs / "a", runs / "b"), "error_share")["change_ci"] == pytest.approx((-most, most))


def test_runs_of_a_plan_are_held_against_the_targets_of_the_first(runs: Path) -> None:
    lenient = write_run(runs / "lenient", ARRIVALS_S, RESPONSE_S, slo_ms=8000)
    found = compared(runs / "a", lenient)
    assert figure(found, "attainment")["change"] == 0
    assert "the targets differ" in found["notes"][0]


def test_what_is_too_short_says_how_many_requests_it_takes(tmp_path: Path) -> None:
    for name in PAIR:
        write_run(tmp_path / name, ARRIVALS_S[:40], RESPONSE_S[:40])
    found = compared(tmp_path / "a", tmp_path / "b")
    assert figure(found, "response_p90")["no_interval"] is None
    assert figure(found, "response_p99")["no_interval"] == "needs n >= 368"
    assert figure(found, "response_p99")["change"] == 0


@pytest.mark.parametrize(
    ("b", "flags", "code"),
    [
        ("a", ("--max-regression", "0"), 0),
        ("b", ("--max-regression", "5"), 0),
        ("slow", (), 0),
        ("slow", ("--max-regression", "5"), 3),
        ("slow", ("--max-regression", "60"), 0),
    ],
)
def test_a_regression_beyond_the_limit_that_the_interval_supports_is_exit_3(
    runs: Path, b: str, flags: tuple[str, ...], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert loadgen(runs / "a", runs / b, *flags) == code
    out, err = capsys.readouterr()
    assert err == ""
    assert ("REGRESSION beyond" in out) == (code == 3)
    assert ("no regression beyond" in out) == (code == 0 and bool(flags))


def test_getting_better_is_no_regression(runs: Path) -> None:
    assert loadgen(runs / "slow", runs / "a", "--max-regression", "0") == 0


def test_the_verdicts_stand_first_and_strict_minds_them(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    late = read_run(runs / "b").records.copy()
    late["sent_ns"] += 50_000_000
    late["done_ns"] += 50_000_000
    (runs / "b" / "records.bin").write_bytes(late.tobytes())
    (runs / "b" / "send_times.bin").write_bytes(late["sent_ns"].tobytes())
    assert loadgen(runs / "a", runs / "b") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("A ")
    text = "\n".join(lines)
    assert text.index("INVALID") < text.index("tool: The tool sent late") < text.index("response p50")
    assert loadgen(runs / "a", runs / "b", "--strict") == 3
    assert loadgen(runs / "a", runs / "a", "--strict") == 0


def test_a_table_for_a_pull_request_is_markdown(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = Path(shutil.copytree(runs / "slow", runs / "new|_*x*"))
    assert loadgen(runs / "a", odd, "--markdown", "--max-regression", "5") == 3
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0].startswith("- **A** ")
    assert "**VALID**" in lines[0]
    assert r"new\|\_\*x\*" in lines[1]
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 2 + len(FIGURES)
    assert {row.replace(r"\|", "").count("|") for row in rows} == {8}
    assert "- REGRESSION beyond 5 %: response p50" in out


def test_the_json_has_every_comparison_and_is_never_written_over_a_file(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = runs / "compared.json"
    assert loadgen(runs / "a", runs / "slow", "--max-regression", "5", "--output-file", place) == 3
    found = orjson.loads(place.read_bytes())
    assert found["max_regression"] == 5
    assert found["regressions"][0].startswith("response p50 +")
    names = [figure["figure"] for figure in found["comparisons"][0]["figures"]]
    assert names == [known.name for known in FIGURES]
    assert set(found["comparisons"][0]["figures"][0]) == set(Difference.__annotations__)
    before = place.read_bytes()
    capsys.readouterr()
    assert loadgen(runs / "a", runs / "b", "--output-file", place) == 2
    assert "is not overwritten" in capsys.readouterr().err
    assert place.read_bytes() == before
    assert loadgen(runs / "a", runs / "b", "--output-file", "-") == 0
    assert orjson.loads(capsys.readouterr().out)["regressions"] == []


def result_file(folder: Path, place: Path, **changes: object) -> Path:
    saved = read_run(folder)
    place.write_bytes(json.dump({**again(saved, saved.info), **changes}))
    return place


def test_results_without_records_are_compared_as_far_as_their_intervals_allow(runs: Path) -> None:
    a, slow = (result_file(runs / name, runs / f"{name}.json") for name in ("a", "slow"))
    found = compared(a, slow)
    p50 = figure(found, "response_p50")
    assert found["method"] == "intervals"
    assert p50["change_ci"] is not None
    assert p50["change_ci"][0] < p50["change"] < p50["change_ci"][1]
    assert p50["conclusion"] == "worse"
    assert figure(found, "attainment")["change_ci"] is not None
    assert figure(found, "throughput")["no_interval"] == "needs run folders"
    assert figure(compared(runs / "a", slow), "response_p50")["change_ci"] == pytest.approx(p50["change_ci"])
    assert loadgen(a, slow, "--max-regression", "5") == 3


def test_of_a_rate_that_was_run_again_the_whole_run_counts(tmp_path: Path) -> None:
    a = sweep(tmp_path / "a", 1, 2)
    killed = Path(shutil.copytree(a / "rate-1", a / "rate-0"))
    (killed / "summary.json").unlink()
    assert source.runs_by_rate(a) == {1: a / "rate-1", 2: a / "rate-2"}


def test_a_difference_of_jobs_may_be_that_of_polling(runs: Path) -> None:
    polled = result_file(runs / "a", runs / "polled.json", completion_width={"p50": 0.25})
    assert "known to 250 ms" in compared(polled, runs / "b")["notes"][-1]
    assert len(compared(runs / "a", runs / "b")["notes"]) == 0


def sweep(place: Path, *rates: float, slower: float = 1.0) -> Path:
    for rate in rates:
        config = {"arrivals": {"rate": rate}}
        folder = place / f"rate-{rate:g}"
        write_run(folder, ARRIVALS_S, slower * RESPONSE_S, rate=rate, config=config, digest=f"d{rate}")
    (place / "sweep.json").write_bytes(b"{}")
    return place


def test_sweeps_are_compared_rate_by_rate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = sweep(tmp_path / "a", 1, 2, 5), sweep(tmp_path / "b", 2, 5, 7, slower=1.5)
    assert loadgen(a, b, "--max-regression", "5", "--output-file", tmp_path / "c.json") == 3
    found = orjson.loads((tmp_path / "c.json").read_bytes())
    assert [comparison["rate"] for comparison in found["comparisons"]] == [2, 5]
    assert found["unmatched"] == [f"1/s: only in {a}", f"7/s: only in {b}"]
    assert found["regressions"][0].startswith("response p50 at 2.00/s +50")
    out = capsys.readouterr().out
    assert out.index("at 2.00/s") < out.index("at 5.00/s") < out.index("7/s: only in")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"digest": "d2", "config": {"arrivals": {"rate": 5.0}}}, "arrivals.rate - / 5.0; plan d1 / d2"),
        ({"config": {"traffic": {"max_concurrency": 7}}}, "traffic.max_concurrency - / 7"),
        ({"digest": "d2"}, "plan d1 / d2"),
        ({"digest": None, "config": {"data": {"num_prompts": 9}}}, "data.num_prompts - / 9"),
    ],
)
def test_different_workloads_are_refused_with_what_differs_unless_forced(
    runs: Path, change: dict[str, Any], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_run(runs / "other", ARRIVALS_S, RESPONSE_S, slo_ms=800, **change)
    assert loadgen(runs / "a", other) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert says in err
    assert "--force" in err
    assert loadgen(runs / "a", other, "--force") == 0
    assert "different workloads" in capsys.readouterr().out


@pytest.mark.parametrize(
    "config", [{"target": {"base_url": "http://b", "headers": ["x"]}}, {"traffic": {"senders": 2}}, {"data": {"x": 1}}]
)
def test_another_server_or_way_of_sending_the_same_plan_is_the_same_workload(
    runs: Path, config: dict[str, Any]
) -> None:
    other = write_run(runs / "other", ARRIVALS_S, RESPONSE_S, slo_ms=800, config=config)
    assert loadgen(runs / "a", other) == 0


def test_forced_runs_of_other_lengths_are_resampled_each_by_itself(runs: Path) -> None:
    write_run(runs / "short", ARRIVALS_S[:500], 2 * RESPONSE_S[:500], digest="d2")
    found = compared(runs / "a", runs / "short")
    assert not found["paired"]
    assert figure(found, "response_p50")["conclusion"] == "worse"
    assert "the plans differ" in found["notes"][0]


def edit(name: str, **changes: Any) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        content = orjson.loads((folder / name).read_bytes())
        (folder / name).write_bytes(orjson.dumps({**content, **changes}))

    return apply


def cut(folder: Path) -> None:
    (folder / "records.bin").write_bytes((folder / "records.bin").read_bytes()[:-3])


def never_began(folder: Path) -> None:
    for name in ("records.bin", "send_times.bin"):
        (folder / name).write_bytes(b"")
    (folder / "summary.json").unlink()


def sent_nothing(folder: Path) -> None:
    (folder / "records.bin").write_bytes(b"")
    (folder / "send_times.bin").write_bytes(bytes(8 * 600))


def emptied(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (cut, "records.bin: is damaged"),
        (edit("run.json", layout=99), "run.json: layout 99, expected layout 6"),
        (edit("summary.json", layout=4), "summary.json: layout 4, expected layout 6"),
        (edit("run.json", plan={"requests": 600, "digest": 7}), "plan"),
        (lambda folder: (folder / "run.json").write_bytes(b"{"), "run.json: is damaged"),
        (never_began, "nothing to report"),
        (sent_nothing, "no request was sent"),
        (emptied, "holds neither a run"),
        (shutil.rmtree, "is missing"),
    ],
)
def test_bad_input_is_one_line_and_changes_nothing(
    runs: Path, damage: Callable[[Path], None], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(runs / "b")
    before = {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()}
    flags = ("--output-file", str(runs / "new.json"))
    if loadgen(runs / "a", runs / "b", *flags) == 0:
        pytest.fail("was compared") if says != "plan" else None
    out, err = capsys.readouterr()
    if says == "plan":
        assert "the plans differ" in out
        return
    assert out == ""
    assert len(err.splitlines()) == 1
    assert says in err
    assert {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "is damaged"),
        (b"[]", "is damaged"),
        (b'{"layout": 4, "verdict": {}}', "odd.json: layout 4, expected layout 6; make it again, or read it with the"),
        (b'{"verdict": {}}', "odd.json: no layout, expected layout 6"),
        (b"{}", "is not a result"),
        (b'{"config": {}, "offered": {"planned": 1}, "confidence": "x"}', "is not a result"),
    ],
)
def test_a_file_that_is_no_result_is_one_line(
    runs: Path, content: bytes, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (runs / "odd.json").write_bytes(content)
    assert loadgen(runs / "a", runs / "odd.json") == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert says in err


@pytest.mark.parametrize(
    "changes",
    [
        {"completed_requests": "9"},
        {"response": 7},
        {"slo": {"ci": [1]}},
        {"slo": {"ci": [None, 1]}},
        {"verdict": {"state": "FINE"}},
        {"config": 1},
    ],
)
def test_a_result_with_an_odd_figure_is_one_line(
    runs: Path, changes: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    odd = result_file(runs / "a", runs / "odd.json", **changes)
    assert loadgen(odd, runs / "a", "--force") == 2
    assert "is not a result" in capsys.readouterr().err


def test_what_cannot_go_together_is_said(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = runs / "a", runs / "b"
    swept, other = sweep(runs / "swept", 1, 2), sweep(runs / "other", 3)
    loose = write_run(runs / "loose", ARRIVALS_S, RESPONSE_S, slo_ms=800, confidence=0.9)
    twice = sweep(runs / "twice", 1)
    shutil.copytree(twice / "rate-1", twice / "again")
    one = result_file(a, runs / "one.json")
    for words, says in (
        ((swept, a), "single run"),
        ((swept, other), "no rate in common: 1, 2 and 3"),
        ((twice, swept), "are both at 1/s"),
        ((a, loose), "give --confidence"),
        ((a, b, "--confidence", "0.999"), "lower it"),
        ((one, b, "--confidence", "0.9"), "compare run folders"),
        ((a, b, "--markdown", "--output-file", "-"), "standard output"),
        ((a, b, "--output-file", str(runs)), "is a folder"),
        ((a, "x" * 300), "File name too long"),
    ):
        assert loadgen(*words) == 2, words
        err = capsys.readouterr().err
        assert len(err.splitlines()) == 1
        assert says in err
    assert loadgen(a, loose, "--confidence", "0.8") == 0


def test_what_a_run_says_cannot_drive_the_terminal(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reasons = [{"cause": "tool", "rule": "x", "text": "[bold]no[/] \x1b[2J\nline"}]
    odd = result_file(runs / "a", runs / "odd.json", verdict={"state": "INVALID", "reasons": reasons})
    assert loadgen(odd, runs / "b") == 0
    out = capsys.readouterr().out
    assert "[bold]no[/] [2J line" in out
    assert "\x1b" not in out


def test_runs_of_the_real_command_are_of_one_workload_whoever_sent_and_served_it(tmp_path: Path) -> None:
    for name, base_ms, senders in (("a", 20, 1), ("slow", 1000, 2)):
        load = ("--num-prompts", "80", "--request-rate", "80", "--max-concurrency", "100", "--senders", str(senders))
        flags = f"--base-ms {base_ms} --unit-ms 0 --replicas 80"
        bench(*T2I, *load, f"--simulate={flags}", "--run-dir", str(tmp_path / name))
    code, out, err = run("compare", str(tmp_path / "a"), str(tmp_path / "slow"), "--output-file", "-")
    assert code == 0, err
    (found,) = orjson.loads(out)["comparisons"]
    assert (found["workload_differences"], found["paired"]) == ([], True)
    assert figure(found, "service_p50")["change"] > 0
    assert "response p50" in err


def test_resamples_are_seeded(runs: Path) -> None:
    assert compared(runs / "a", runs / "b") == compared(runs / "a", runs / "b")
