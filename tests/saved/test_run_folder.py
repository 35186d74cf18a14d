"""Saved runs: written as the run goes, read back to the same figures, and never a traceback for what is damaged."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.cli.report import main
from collector.errors import RunError
from collector.records.record import RECORD
from collector.records.stalls import STALL
from collector.report.saved_report import again
from collector.saved import export
from collector.saved.run_folder import PLANNED, describe, read_run
from collector.summary.summary import summarise
from tests.faults.test_stops import LONG, children, temporary, wait_for
from tests.support.commands import LIMIT_S, ROOT, T2I, bench, fetch, run, server
from tests.support.commands import command as start

FILES = (
    "run.json",
    "plan.bin",
    "records.bin",
    "send_times.bin",
    "stalls.bin",
    "errors.jsonl",
    "stages.jsonl",
    "summary.json",
)


TERMS = {
    "max_concurrency": 1,
    "asked_rate": "1.0",
    "latency_from": "sent",
    "slo_enabled": False,
    "slo_scale": 3.0,
    "confidence": 0.95,
    "arrival": "poisson",
    "burstiness": 1.0,
    "rate_series": [],
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with some failures, saved by the real command."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    with server(base_ms=5, replicas=20, fail_rate=0.2, seed=3) as url:
        bench(*T2I, "--base-url", url, "--num-prompts", "60", "--request-rate", "100", "--max-concurrency", "50",
              "--slo", "--slo-scale", "1000", "--warmup-requests", "5", "--senders", "2",
              "--run-dir", str(folder))  # fmt: skip
    return folder


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def test_a_run_read_back_has_the_figures_that_it_reported(whole: Path) -> None:
    saved = read_run(whole)
    assert saved.complete
    again_ = orjson.loads(orjson.dumps(again(saved, saved.info)))
    assert again_ == orjson.loads((whole / "summary.json").read_bytes())
    assert again_["errors"]["http_500"]["example"]
    assert again_["slo_attainment_rate"] is not None


def test_records_and_plan_are_read_by_one_call_of_numpy_each(whole: Path) -> None:
    records, plan = np.fromfile(whole / "records.bin", RECORD), np.fromfile(whole / "plan.bin", PLANNED)
    assert sorted(records["index"].tolist()) == list(range(60))
    assert len(plan) == 60
    about = orjson.loads((whole / "run.json").read_bytes())
    described = np.dtype([tuple(field) for field in about["dtypes"]["records.bin"]])
    assert described == RECORD
    assert about["plan"]["requests"] == 60
    assert len(about["plan"]["digest"]) == 64


def test_the_documented_layout_is_that_of_the_files() -> None:
    text = (ROOT / "docs" / "saved-runs.md").read_text()
    told = re.findall(r"^\| `(\w+)` \| `(\S+)` \|", text, re.MULTILINE)
    assert told == [(name, kind.lstrip("|")) for name, kind in describe(RECORD)]
    assert f"has {RECORD.itemsize} bytes" in text
    for dtype in (PLANNED, STALL):
        places = [text.index(f"`{name}`", text.index("A row of `plan.bin`")) for name in dtype.names or ()]
        assert places == sorted(places)


def with_independent_latencies(folder: Path) -> None:
    """Give every record a seeded service time, so that no interval depends on how busy the machine was."""
    records = np.fromfile(folder / "records.bin", RECORD)
    records["done_ns"] = records["sent_ns"] + np.random.default_rng(1).integers(5_000_000, 15_000_000, len(records))
    records["first_byte_ns"] = records["done_ns"]
    records.tofile(folder / "records.bin")


def test_another_question_gives_another_answer_from_the_same_records(copy: Path, tmp_path: Path) -> None:
    with_independent_latencies(copy)
    place = tmp_path / "again.json"
    words = ["report", str(copy), "--latency-from", "sent", "--slo-ms", "0.001", "--percentiles", "12.5,99.9,100"]
    code, out, err = run(*words, "--output-file", str(place))
    assert code == 0, err
    result = orjson.loads(place.read_bytes())
    assert result["latency_p99"] == result["service"]["p99"]
    assert result["slo_attainment_rate"] == 0
    further, own = result["percentiles"]["service"], result["service"]
    assert (further["99.9"], further["100"]) == (own["p99_9"], own["max"])
    low, high = further["ci"]["12.5"]
    assert low <= further["12.5"] <= high
    assert (further["ci"]["99.9"], further["needs_n"]) == (None, {"99.9": own["needs_n"]["p99_9"]})
    assert f"needs n >= {own['needs_n']['p99_9']:,}" in out
    assert "VALID" in out


def test_a_page_is_made_of_a_saved_run_with_another_question(copy: Path, tmp_path: Path) -> None:
    code, out, err = run("report", str(copy), "--html")
    assert (code, err) == (0, "")
    assert "report.html" in out
    again = tmp_path / "again.html"
    assert run("report", str(copy), "--slo-ms", "0.001", "--html", str(again))[0] == 0
    assert (copy / "report.html").read_text().startswith("<!DOCTYPE html>")
    assert again.read_bytes() != (copy / "report.html").read_bytes()


def test_a_page_never_takes_the_place_of_a_file_of_the_run(copy: Path) -> None:
    code, _, err = run("report", str(copy), "--html", str(copy / "records.bin"))
    assert code == 2
    assert "never overwritten" in err


def test_the_collector_alone_reports_a_run(whole: Path) -> None:
    words = [sys.executable, "-m", "collector", str(whole)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, cwd=ROOT, check=False)
    assert done.returncode == 0
    assert "60 planned" in done.stdout


def test_a_run_that_was_killed_altogether_is_reported_as_partial(tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    with server(base_ms=300, replicas=100) as url, temporary() as tmp:  # for sockets, which nobody is left to remove
        words = ("--base-url", url, "--warmup-requests", "0", "--run-dir", str(folder))
        process = start("bench", *T2I, *LONG, *words, TMPDIR=str(tmp))
        wait_for("some answers", lambda: fetch(f"{url}/sim/stats")["requests"] > 60)
        family = children(process.pid)
        for pid in [*family.values(), process.pid]:
            os.kill(pid, signal.SIGKILL)
        process.communicate(timeout=LIMIT_S)
        served = fetch(f"{url}/sim/stats")["requests"]
    saved = read_run(folder)
    assert not saved.complete
    figures = summarise(saved.records, saved.info, saved.notes)
    assert figures["partial"]
    assert figures["verdict"]["state"] == "INVALID"
    assert 0 < figures["completed_requests"] == len(saved.records) <= served
    assert figures["offered"]["planned"] == 2000
    assert figures["offered"]["sent"] == sum(dict(figures["outcomes"]).values())  # type: ignore[arg-type]
    code, out, _ = run("report", str(folder))
    assert code == 0
    assert "partial" in out


def test_a_folder_that_holds_a_run_is_never_overwritten(whole: Path) -> None:
    before = {name: (whole / name).read_bytes() for name in FILES}
    code, _, err = run("bench", *T2I, "--simulate", "--num-prompts", "1", "--run-dir", str(whole))
    assert code == 2
    assert "--run-dir" in err
    assert {name: (whole / name).read_bytes() for name in FILES} == before


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def edit(name: str, **changes: Any) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        content = orjson.loads((folder / name).read_bytes())
        content.update(changes)
        (folder / name).write_bytes(orjson.dumps(content))

    return apply


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda folder: cut(folder / "records.bin"), "records.bin"),
        (lambda folder: cut(folder / "plan.bin"), "plan.bin"),
        (lambda folder: cut(folder / "run.json"), "run.json"),
        (lambda folder: cut(folder / "summary.json"), "summary.json"),
        (lambda folder: (folder / "records.bin").unlink(), "records.bin"),
        (lambda folder: (folder / "run.json").unlink(), "run.json"),
        (lambda folder: (folder / "plan.bin").write_bytes(b""), "nothing to report"),
        (lambda folder: (folder / "errors.jsonl").write_bytes(b"{nonsense\n"), "errors.jsonl"),
        (edit("run.json", layout=99), "run.json: layout 99, expected layout 6"),
        (edit("summary.json", layout=4), "summary.json: layout 4, expected layout 6"),
        (edit("run.json", parameters={}), "run.json"),
        (edit("run.json", parameters=7), "run.json"),
        (edit("run.json", parameters={**TERMS, "asked_rate": "fast"}), "run.json"),
        (edit("run.json", parameters={**TERMS, "rate_series": [[1.0]]}), "run.json"),
        (edit("run.json", started_ns="soon"), "run.json"),
        (edit("summary.json", end={}), "summary.json"),
        (lambda folder: shutil.rmtree(folder), "run.json"),
    ],
)
def test_damage_is_one_line_that_names_the_file(copy: Path, damage: Callable[[Path], None], says: str) -> None:
    damage(copy)
    with pytest.raises(RunError, match=says) as caught:
        read_run(copy)
    assert "\n" not in str(caught.value)


def test_damage_is_exit_2_and_no_traceback(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cut(copy / "records.bin")
    assert main([str(copy)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(FILES), st.binary(max_size=300) | st.sampled_from([b"{}", b"[]", b"null", b"[[[[", b"1e999"]))
def test_whatever_stands_in_a_file_there_is_a_report_or_one_line(copy: Path, name: str, content: bytes) -> None:
    path = copy / name
    kept = path.read_bytes()
    path.write_bytes(content)
    said = ""
    try:
        saved = read_run(copy)
        again(saved, saved.info)
    except RunError as fault:
        said = str(fault)
    finally:
        path.write_bytes(kept)
    assert "\n" not in said


def test_an_export_to_parquet_needs_pyarrow_and_says_so(whole: Path, tmp_path: Path) -> None:
    saved, place = read_run(whole), tmp_path / "rows.parquet"
    if importlib.util.find_spec("pyarrow") is None:
        with pytest.raises(RunError, match="pip install"):
            export.write(saved, saved.info, "parquet", place)
        assert not place.exists()
        return
    import pyarrow.parquet

    assert export.write(saved, saved.info, "parquet", place) == 60
    table = pyarrow.parquet.read_table(place)
    found = export.columns(saved, saved.info)
    assert table.column_names == list(found)
    assert table["index"].to_pylist() == found["index"].tolist()
    assert table["outcome"].to_pylist() == found["outcome"].tolist()
    assert table["service_s"].null_count == int(np.isnan(found["service_s"]).sum())
    assert table["met"].type == pyarrow.bool_()


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_an_export_has_a_row_for_each_planned_request(whole: Path, tmp_path: Path, form: str) -> None:
    saved = read_run(whole)
    place = tmp_path / f"rows.{form}"
    assert export.write(saved, saved.info, form, place) == 60
    lines = place.read_text().splitlines()
    assert len(lines) == (61 if form == "csv" else 60)
    found = export.columns(saved, saved.info)
    assert (found["outcome"] == "ok").sum() == saved.summary["completed_requests"]  # type: ignore[index]
    assert set(found["error"]) == {"", "http_500"}
    np.testing.assert_allclose(found["response_s"], found["wait_s"] + found["lag_s"] + found["service_s"])
    with pytest.raises(RunError, match="--export-file"):
        export.write(saved, saved.info, form, place)
