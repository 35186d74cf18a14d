"""Warm-ups that all fail stop a command before its load, and say what the server answered."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from loadgen.errors import WarmupError
from loadgen.options import TargetOptions, WarmupOptions
from loadgen.runs import warmup_check
from loadgen.runs.warmups import Warmup
from loadgen.server.http_get import HttpAnswer
from loadgen.server.target import resolve
from tests.support.commands import SMALL, fetch, run, server

SERVERS = [
    resolve(TargetOptions(base_url=url, backend="openai")) for url in ("http://127.0.0.1:1", "http://127.0.0.1:2")
]
PATH = "/v1/images/generations"
OK = Warmup(1.0, (0, 0, 0, 0), None, "")
FAILED = replace(OK, error="http_503", detail="busy")
OPENAPI: dict[str, Any] = {
    "paths": {**{f"/other/{k}": {"post": {}} for k in range(9)}, "/v1/videos": {"post": {}}, "/v1/x": {"get": {}}}
}


def check(*warmups: Warmup, force: bool = False) -> list[str]:
    notices: list[str] = []
    warmup_check.check(warmups, SERVERS, PATH, WarmupOptions(force=force), notices.append)
    return notices


def error(*warmups: Warmup) -> str:
    with pytest.raises(WarmupError) as caught:
        check(*warmups)
    assert caught.value.exit_code == 4
    return str(caught.value)


def test_warm_ups_that_all_fail_are_one_line_with_url_status_message_and_what_to_do() -> None:
    assert error(FAILED, FAILED) == (
        "no warm-up succeeded (2 of 2 failed), so no load was sent: POST http://127.0.0.1:1/v1/images/generations:"
        " http_503, busy; check the server, or send the load anyway with --force"
    )


def test_distinct_answers_are_shown_and_both_their_number_and_their_length_are_bounded() -> None:
    text = error(*(replace(FAILED, detail=f"{k} " + "x" * 1000, replica=k % 2) for k in (0, 0, 1, 2, 3, 4)))
    assert text.count("POST http://") == 3
    assert "; 2 other answers; " in text
    assert len(text) < 1200


def test_one_success_is_enough_and_no_warm_up_at_all_is_no_failure() -> None:
    assert check(FAILED, OK) == check(OK) == check() == []


def test_with_force_the_load_is_sent_and_the_line_says_so() -> None:
    (line,) = check(FAILED, force=True)
    assert "no warm-up succeeded (1 of 1 failed), and --force sends the load all the same: POST http://" in line


def test_a_replica_of_which_all_warm_ups_failed_is_named() -> None:
    (line,) = check(OK, replace(FAILED, replica=1), OK, replace(FAILED, replica=1))
    assert "all warm-ups of one base URL failed" in line
    assert "POST http://127.0.0.1:2/v1/images/generations: http_503, busy" in line
    assert check(OK, FAILED) == []  # of the same base URL


@pytest.mark.parametrize("status", ["http_404", "http_405"])
def test_where_the_path_is_missing_those_that_the_server_has_and_the_flags_are_named(
    status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warmup_check, "get", lambda *_: HttpAnswer(200, orjson.dumps(OPENAPI)))
    text = error(replace(FAILED, error=status, detail='{"detail":"Not Found"}'))
    assert f"POST http://127.0.0.1:1/v1/images/generations: {status}" in text
    assert "the server has /v1/videos, /other/0, " in text
    assert "/v1/x" not in text
    assert ", ...: give the path with --endpoint, or another --backend or --task" in text


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"paths":7}'])
def test_a_server_that_does_not_tell_its_paths_is_no_problem(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warmup_check, "get", lambda *_: HttpAnswer(200 if body else 0, body))
    text = error(replace(FAILED, error="http_404"))
    assert "http_404, busy; give the path with --endpoint, or another --backend or --task, or send" in text


@pytest.mark.parametrize("status", ["http_401", "http_403"])
def test_where_the_key_is_wrong_its_flags_are_named(status: str) -> None:
    assert "; give --api-key, --api-key-file or --header, or send" in error(replace(FAILED, error=status))


FAULTS: dict[str, dict[str, Any]] = {
    "http_401": {"http_errors": "401:1"},
    "http_503": {"http_errors": "503:1"},
    "reset": {"reset_rate": 1.0},
    "body_cut": {"cut_rate": 1.0},
    "protocol": {"garbage_rate": 1.0},
    "timeout": {"stall": 1.0},
}


@pytest.mark.parametrize("transport", ["native", "aiohttp"])
@pytest.mark.parametrize("fault", FAULTS)
def test_no_load_follows_warm_ups_that_all_failed(transport: str, fault: str, tmp_path: Path) -> None:
    folder, output = tmp_path / "run", tmp_path / "result.json"
    with server(**FAULTS[fault]) as url:
        words = ("bench", *SMALL.split(), "--base-url", url, "--transport", transport, "--timeout", "0.5")
        code, out, err = run(*words, "--warmup-requests", "2", "--run-dir", str(folder), "--output-file", str(output))
        assert 2 <= fetch(f"{url}/sim/stats")["requests"] <= 4  # a reset of a kept connection is retried
    assert (code, out) == (4, "")
    assert f"loadgen: no warm-up succeeded (2 of 2 failed), so no load was sent: POST {url}/v1/" in err
    assert f": {fault}, " in err
    assert not output.exists()
    assert not folder.exists()  # so that the same command can be given again


@pytest.mark.parametrize("command", ["bench", "sweep", "search"])
def test_every_command_stops_with_exit_code_4_and_goes_on_with_force(command: str) -> None:
    flags = {
        "bench": "--num-prompts 3",
        "sweep": "--num-prompts 3 --rates 50,100 --cool-down 0 --slo-ms 500",
        "search": "--min-attainment 0.9 --time-limit 15 --slo-ms 500 --start-rate 20",
    }
    words = (command, "--simulate=--fail-rate 1 --base-ms 1", *SMALL.split(), *flags[command].split())
    code, _, err = run(*words)
    assert (code, err.count("so no load was sent")) == (4, 1)
    assert err.count("\n") == 1
    if command != "search":  # which would take its time
        code, out, _ = run(*words, "--force")
        assert (code, out.splitlines()[-1].startswith("no request succeeded (exit 4): ")) == (4, True)
