"""Runs that do not end as planned: Ctrl-C, SIGTERM, deaths of our own processes, a parent that is gone."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.commands import LIMIT_S, T2I, command, fetch, server

LONG = ("--num-prompts", "2000", "--request-rate", "50", "--max-concurrency", "100", "--senders", "2")


def children(parent: int) -> dict[str, int]:
    """Process ids below `parent`, by the module they run; a second sender has a 2 behind it."""
    found: dict[str, int] = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            status = (path / "stat").read_text().rsplit(")", 1)[1].split()
            words = (path / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if int(status[1]) == parent and status[0] != "Z" and "-m" in words:
            module = words[words.index("-m") + 1]
            name = module if module not in found else f"{module} 2"
            found[name] = int(path.name)
    return found


def wait_for(what: str, reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not reached():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


@contextmanager
def temporary() -> Iterator[Path]:
    """A folder for temporary files whose path is short enough for sockets, which pytest's are not."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as folder:
        yield Path(folder)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def under_way(url: str, *words: str, **environment: str) -> "subprocess.Popen[str]":
    """Start a long run and return once the server has answered some of it."""
    words = (*T2I, *LONG, "--base-url", url, "--warmup-requests", "0", "--output-file", "-", *words)
    process = command("bench", *words, **environment)
    wait_for("the first requests", lambda: fetch(f"{url}/sim/stats")["requests"] > 10)
    return process


def end(process: "subprocess.Popen[str]") -> tuple[int, dict[str, Any], str]:
    out, err = process.communicate(timeout=LIMIT_S)
    return process.returncode, orjson.loads(out), err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_run_with_a_partial_report_and_exit_130(number: int) -> None:
    with server(base_ms=5, replicas=50) as url:
        process = under_way(url)
        family = children(process.pid)
        process.send_signal(number)
        code, result, _ = end(process)
    assert code == 130
    assert result["partial"] is True
    assert 0 < result["offered"]["sent"] < 2000
    assert result["offered"]["sent"] + result["offered"]["unsent"] == 2000
    assert result["offered"]["due"] < 2000
    assert sum(result["outcomes"].values()) == result["offered"]["sent"]
    assert "interrupted" in [reason["rule"] for reason in result["verdict"]["reasons"]]
    assert not any(alive(pid) for pid in family.values())


def test_what_is_in_flight_at_an_interrupt_gets_a_grace_and_is_then_cancelled() -> None:
    with server(stall=1) as url:
        process = under_way(url)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)  # the second one does not wait for the grace
        code, result, _ = end(process)
    assert code == 130
    assert result["outcomes"]["cancelled"] == result["offered"]["sent"] > 0


@pytest.mark.parametrize(
    "victim", ["loadgen.engine.sender_process", "loadgen.engine.scheduler", "collector.process.collector"]
)
def test_the_death_of_a_process_of_ours_ends_the_run_with_a_report_that_says_so(victim: str) -> None:
    with server(base_ms=50, replicas=50) as url:
        process = under_way(url)
        family = children(process.pid)
        os.kill(family[victim], signal.SIGKILL)
        code, result, _ = end(process)
    assert code == 1
    assert result["verdict"]["state"] == "INVALID"
    assert result["verdict"]["reasons"][0]["rule"] == "died"
    assert victim.split(".")[-1].split("_")[0] in result["verdict"]["reasons"][0]["text"]
    assert sum(result["outcomes"].values()) == result["offered"]["sent"]
    assert not any(alive(pid) for pid in family.values())


def test_what_a_dead_sender_held_is_lost_and_nothing_else_is() -> None:
    with server(base_ms=600, replicas=100) as url:
        process = under_way(url)
        os.kill(children(process.pid)["loadgen.engine.sender_process"], signal.SIGKILL)
        code, result, _ = end(process)
        served = fetch(f"{url}/sim/stats")["requests"]
    assert code == 1
    assert result["outcomes"]["lost"] > 0
    assert result["outcomes"]["ok"] > 0
    assert result["offered"]["sent"] >= served
    assert not any(reason["rule"] == "conservation" for reason in result["verdict"]["reasons"])


def test_children_of_a_killed_parent_end_by_themselves_and_leave_nothing_behind(tmp_path: Path) -> None:
    with server(base_ms=5, replicas=50) as url:
        process = under_way(url, TMPDIR=str(tmp_path))
        family = children(process.pid)
        assert {"loadgen.engine.scheduler", "loadgen.engine.sender_process", "loadgen.engine.sender_process 2"} <= set(
            family
        )
        process.kill()
        process.communicate(timeout=LIMIT_S)
        wait_for("the children to end", lambda: not any(alive(pid) for pid in family.values()))
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_before_the_start_leaves_nothing_behind(tmp_path: Path) -> None:
    with server(stall=1) as url:
        process = command("bench", *T2I, "--base-url", url, "--num-prompts", "1", TMPDIR=str(tmp_path))
        wait_for("the warm-up", lambda: fetch(f"{url}/sim/stats")["requests"] > 0)
        family = children(process.pid)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
    wait_for("the children to end", lambda: not any(alive(pid) for pid in family.values()))


def test_two_runs_at_once_do_not_disturb_each_other() -> None:
    with server(base_ms=5, replicas=50) as one, server(base_ms=5, replicas=50) as two:
        words = (*T2I, "--num-prompts", "40", "--request-rate", "40", "--max-concurrency", "40", "--output-file", "-")
        first, second = (command("bench", *words, "--base-url", url) for url in (one, two))
        results = [end(first), end(second)]
    assert [(code, result["completed_requests"]) for code, result, _ in results] == [(0, 40), (0, 40)]
