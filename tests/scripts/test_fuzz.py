"""Odd input never comes to a traceback: some of it here, 100,000 cases and more by scripts/fuzz; and what it found."""

import shutil
from pathlib import Path

import orjson
import pytest
from hypothesis import strategies as st

from collector.cli.report import main as collector
from loadgen.cli.main import main
from loadgen.errors import UsageError
from loadgen.options import TargetOptions
from loadgen.processes.simulated_server import parse_simulator
from loadgen.server.target import resolve
from scripts.fuzzing.__main__ import TARGETS
from scripts.fuzzing.command_outcome import outcome, run_captured
from scripts.fuzzing.run_files import RUN_FILES, saved_run
from scripts.fuzzing.target import Tally, Target, run
from tests.support.commands import LIMIT_S, T2I
from tests.support.commands import run as command


@pytest.mark.parametrize("target", TARGETS, ids=[target.name for target in TARGETS])
def test_whatever_comes_there_is_a_result_or_one_line(target: Target) -> None:
    tally, cases = Tally(), 40 if target is RUN_FILES else 120
    run(target, cases, LIMIT_S, 1, tally)
    assert tally.cases == cases
    assert len(tally.outcomes) > 1, "all cases came to the same, so they are not odd enough, or not sound enough"


# The fuzzer itself


def test_a_case_that_fails_is_raised_and_those_before_it_are_counted() -> None:
    def check(number: int) -> str:
        assert number < 50
        return "small"

    tally = Tally()
    with pytest.raises(AssertionError):
        run(Target("numbers", 1, st.integers(0, 100), check), 500, 60.0, 0, tally)
    assert 0 < tally.cases == tally.outcomes["small"]


def test_as_many_cases_are_carried_out_as_were_asked_for_and_no_more() -> None:
    tally = Tally()
    run(Target("numbers", 1, st.integers(), lambda _: "fine"), 1500, 60.0, 0, tally)
    assert tally.cases == 1500


def test_the_time_ends_a_target_too() -> None:
    tally = Tally()
    run(Target("numbers", 1, st.integers(), lambda _: "fine"), 10**9, 0.2, 0, tally)
    assert 0 < tally.cases < 10**6


@pytest.mark.parametrize(
    ("code", "out", "err"),
    [
        (1, "", "loadgen: a fault"),
        (2, "", "Traceback (most recent call last):"),
        (2, "", "one: line\nand: another"),
        (2, "half a report", "one: line"),
        (2, "", ""),
        (0, "\x1b[31m", ""),
        (0, "the key is hunter2", ""),
    ],
)
def test_what_may_not_come_of_a_case_is_told(code: int, out: str, err: str) -> None:
    with pytest.raises(AssertionError):
        outcome(code, out, err, ("hunter2",))


# What it found


@pytest.mark.parametrize("flag", ["--output-file", "--model", "--header", "--simulate", "--request-rate"])
def test_two_dashes_are_no_value(flag: str) -> None:
    code, out, err = run_captured(lambda: main(["bench", *T2I, "--simulate", f"{flag}=--"]))
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert f"argument {flag}: -- is not a value" in err


def test_two_dashes_are_no_value_for_the_other_commands_either() -> None:
    code, _, err = run_captured(lambda: main(["report", "x", "--output-file=--"]))
    assert (code, "argument --output-file: -- is not a value" in err) == (2, True)
    code, _, err = run_captured(lambda: collector(["x", "--output-file=--"]))
    assert (code, "argument --output-file: -- is not a value" in err) == (2, True)
    with pytest.raises(UsageError, match="argument --host: -- is not a value"):
        parse_simulator("--host=--", "image")


@pytest.mark.parametrize(
    "url",
    ["http://[", "http://[]", "http://a..b", "http://.", f"http://{'x' * 70}.b", "http://h/\u00fc", "http://h/a b", "http://h:x",
     "http://\udcff@h", "http://h/\r\nX: y", "http://", "//h", "", "http://[::1"],
)  # fmt: skip
@pytest.mark.parametrize("flag", ["--base-url", "--proxy"])
def test_an_odd_url_is_one_line_that_names_its_flag(url: str, flag: str) -> None:
    sound = "http://127.0.0.1:9"
    options = TargetOptions(base_url=url) if flag == "--base-url" else TargetOptions(base_url=sound, proxy=url or "x")
    with pytest.raises(UsageError, match=f"^{flag}") as fault:
        resolve(options)
    assert len(str(fault.value).splitlines()) == 1


def test_a_saved_run_that_cannot_be_drawn_is_one_line_and_no_half_report(tmp_path: Path) -> None:
    folder, held = saved_run()
    shutil.copytree(folder, tmp_path / "run")
    summary = orjson.loads(held["summary.json"])
    summary["processes"]["sender 0"]["peak_memory_mb"] = None
    (tmp_path / "run" / "summary.json").write_bytes(orjson.dumps(summary))
    code, out, err = run_captured(lambda: main(["report", str(tmp_path / "run")]))
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert "damaged" in err


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_character_that_the_terminal_does_not_have_costs_no_report(encoding: str) -> None:
    arguments = ("bench", *T2I, "--simulate", "--num-prompts", "1", "--model", "\u65e5\u672c")
    code, out, err = command(*arguments, PYTHONIOENCODING=encoding)
    assert (code, err) == (0, "")
    assert "??" in out


@pytest.mark.parametrize("flag", ["--output-file", "--html", "--save-dir", "--rate-series", "--api-key-file"])
def test_a_name_that_is_too_long_for_a_file_is_one_line(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *T2I, "--base-url", "http://127.0.0.1:9", flag, "1:" * 3000]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert flag in err


def test_a_name_that_is_too_long_is_one_line_for_a_comparison_too(capsys: pytest.CaptureFixture[str]) -> None:
    folder, _ = saved_run()
    for arguments in ((str(folder), "1" * 5000), (str(folder), str(folder), "--output-file", "1" * 5000)):
        assert main(["compare", *arguments]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
