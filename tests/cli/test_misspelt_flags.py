"""A misspelt flag is answered with the nearest that exists and the help of its own command, and never with a value."""

import pytest

from loadgen.cli.main import main


def refused(*words: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(words, run=lambda _: 0)
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.mark.parametrize(
    ("words", "flag", "nearest", "command"),
    [
        (("bench", "--num-promts", "3"), "--num-promts", "--num-prompts", "loadgen bench"),
        (("bench", "--num-promts=3"), "--num-promts", "--num-prompts", "loadgen bench"),
        (("bench", "--num_prompts", "3"), "--num_prompts", "--num-prompts", "loadgen bench"),
        (("bench", "--Width", "3"), "--Width", "--width", "loadgen bench"),
        (("bench", "-n", "3"), "-n", "--n", "loadgen bench"),
        (("sweep", "--rate", "1,2"), "--rate", "--rates", "loadgen sweep"),
        (
            ("search", "--min-attainmnt", "0.9", "--time-limit", "30"),
            "--min-attainmnt",
            "--min-attainment",
            "loadgen search",
        ),
        (("serve", "--replcas", "3"), "--replcas", "--replicas", "loadgen serve"),
        (("report", "run", "--percentile", "99"), "--percentile", "--percentiles", "loadgen report"),
        (("compare", "a", "b", "--markdwn"), "--markdwn", "--markdown", "loadgen compare"),
        (("--verson",), "--verson", "--version", "loadgen"),
    ],
)
def test_the_nearest_flag_and_the_help_of_the_command_are_named(
    words: tuple[str, ...], flag: str, nearest: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(*words) == 2
    said = capsys.readouterr().err
    assert said == f"{command}: error: there is no flag {flag}; did you mean {nearest}? (see {command} --help)\n"


def test_a_flag_that_resembles_none_is_named_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert refused("bench", "--zzzz") == 2
    assert "there is no flag --zzzz (see loadgen bench --help)" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ("--api-ky", "hunter2"),
        ("--api-ky=hunter2",),
        ("--apikey", "hunter2"),
        ("--hedaer", "X=hunter2"),
        ("--api-key", "a", "hunter2"),
        ("--api-key=a", "hunter2"),
        ("--header", "X=Bearer", "hunter2"),
        ("--num-promts", "hunter2"),
    ],
)
def test_a_message_about_a_flag_holds_no_value(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert refused("bench", *words) == 2
    said = capsys.readouterr().err
    assert "hunter2" not in said
    assert len(said.splitlines()) == 1


def test_an_argument_of_no_flag_is_named_by_the_one_before(capsys: pytest.CaptureFixture[str]) -> None:
    assert refused("bench", "--task", "t2i", "t2v") == 2
    assert "an argument belongs to no flag (after --task); quote a value that has spaces" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [("--warmup-requests", "-5"), ("--extra-body", '{"a": "--b"}'), ("--simulate", "--x 4")]
)
def test_a_value_is_not_taken_for_a_flag(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        assert main(("bench", *words), run=lambda _: 0) == 0
    except SystemExit:
        assert "no flag" not in capsys.readouterr().err
