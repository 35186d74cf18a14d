"""Gates: what they compare, and that the last line of a command names the figure and its bound."""

import argparse
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loadgen.cli.argument_types import error_rate
from loadgen.cli.exit_codes import Gates, last_line, nothing_succeeded, percents
from tests.support.commands import SMALL, run
from tests.support.folders import write_run

FAILING = "--simulate='--base-ms 1 --fail-rate 0.5 --seed 1' --num-prompts 40 --warmup-requests 0"


def result(**changes: Any) -> dict[str, Any]:
    figures = {
        "offered": {"sent": 60},
        "verdict": {"state": "VALID"},
        "failed_requests": 3,
        "request_errors": {"http_503": 3},
        "slo_attainment_rate": 0.95,
    }
    return {**figures, **changes}


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0), ("0.05", 0.05), ("5%", 0.05), (" 5 % ", 0.05), ("29%", 0.29), ("1", 1), ("100%", 1)]
)
def test_an_error_rate_is_a_share_or_per_cent(text: str, value: float) -> None:
    assert error_rate(text) == value


@pytest.mark.parametrize("text", ["", "%", "5", "101%", "-1%", "nan", "inf", "5%%", "5%x", "5 percent"])
def test_other_error_rates_say_what_to_give(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"as 0\.05 or 5%"):
        error_rate(text)


def test_a_run_within_its_bounds_fails_no_gate() -> None:
    assert Gates().failures(result()) == []
    assert Gates(strict=True, min_slo_attainment=0.95, max_error_rate=0.05).failures(result()) == []


def test_a_bound_is_compared_exactly() -> None:
    many = result(offered={"sent": 100}, failed_requests=29, request_errors={"reset": 29})
    assert Gates(max_error_rate=error_rate("29%")).failures(many) == []
    assert Gates(max_error_rate=0.289999).failures(many)


def test_a_run_of_which_nothing_was_sent_has_no_error_rate() -> None:
    assert Gates(max_error_rate=0.0).failures(result(offered={"sent": 0}, failed_requests=0)) == []


def test_each_failed_gate_names_its_figure_and_its_bound() -> None:
    bad = result(verdict={"state": "CAPPED"}, failed_requests=53, request_errors={"http_503": 50, "timeout": 3})
    assert last_line(Gates(strict=True, min_slo_attainment=0.99, max_error_rate=0.05).failures(bad)) == (
        "gate failed (exit 3): the verdict is CAPPED, --strict asks for VALID;"
        " 53 of 60 requests failed (88.3 %: 50 http_503, 3 timeout), --max-error-rate is 5 %;"
        " SLO met by 95 %, --min-slo-attainment is 99 %"
    )
    (text,) = Gates(min_slo_attainment=0.99).failures(result(slo_attainment_rate=None))
    assert text == "no request had a target, --min-slo-attainment is 99 %"


def test_a_last_line_is_bounded_and_there_is_none_without_a_failure() -> None:
    assert last_line(list("abcdef")) == "gate failed (exit 3): a; b; c; and 3 more"
    assert last_line([]) == ""


def test_a_figure_and_a_bound_close_to_it_are_told_apart() -> None:
    assert percents(0.98996, 0.99) == ("98.996 %", "99 %")
    assert percents(0.5, 0.99) == ("50 %", "99 %")


def test_a_run_without_a_success_says_why() -> None:
    assert nothing_succeeded(60, {"http_503": 60}) == "no request succeeded (exit 4): 60 failed (http_503)"
    assert nothing_succeeded(0, {}) == "no request succeeded (exit 4): none was sent"


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ("--max-error-rate 5%", "requests failed ("),
        ("--max-error-rate 0.05", "--max-error-rate is 5 %"),
        ("--slo-ms 5000 --min-slo-attainment 0.99", "--min-slo-attainment is 99 %"),
    ],
)
def test_the_last_line_of_a_run_is_the_failed_gate(flags: str, says: str) -> None:
    code, out, _ = run("bench", *shlex.split(f"{SMALL} {FAILING} {flags}"))
    assert code == 3
    assert out.splitlines()[-1].startswith("gate failed (exit 3): ")
    assert says in out.splitlines()[-1]


def test_without_a_gate_failed_requests_are_no_failure_of_the_command() -> None:
    code, out, _ = run("bench", *shlex.split(f"{SMALL} {FAILING}"))
    assert code == 0
    assert " requests failed (http_500)" in out.splitlines()[0]
    assert "gate failed" not in out


def test_the_last_line_goes_where_the_report_goes() -> None:
    code, out, err = run("bench", *shlex.split(f"{SMALL} {FAILING} --max-error-rate 5% --output-file -"))
    assert (code, out[0], out[-2]) == (3, "{", "}")
    assert err.splitlines()[-1].startswith("gate failed (exit 3): ")


def test_the_last_line_of_a_comparison_is_the_failed_gate(tmp_path: Path) -> None:
    arrivals = np.arange(200) / 10
    for name, response in (("a", 0.1), ("b", 0.2)):
        write_run(tmp_path / name, arrivals, np.full(200, response) + 0.001 * np.sin(arrivals * 50))
    words = ("compare", str(tmp_path / "a"), str(tmp_path / "b"), "--max-regression", "5")
    for form in ((), ("--markdown",)):
        code, out, _ = run(*words, *form)
        last = out.splitlines()[-1]
        assert code == 3
        assert "gate failed (exit 3): " in last
        assert last.count("--max-regression is 5 %") == 3


def test_a_search_has_no_error_rate() -> None:
    words = ("search", *SMALL.split(), "--min-attainment", "0.9", "--time-limit", "60", "--slo-ms", "50")
    code, _, err = run(*words, "--max-error-rate", "5%")
    assert (code, err.count("\n")) == (2, 1)
    assert "--max-error-rate: in a search a failed request has missed its target already; drop it" in err
