"""The parent is killed, or stopped twice: nothing is left behind, and where possible there is a report."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import orjson
import pytest

from collector.saved.run_folder import read_run
from tests.faults.test_stops import LONG, alive, children, temporary, under_way, wait_for
from tests.support.commands import LIMIT_S, T2I, command, server


def family_of(process: "subprocess.Popen[str]") -> dict[str, int]:
    return children(process.pid)


MOMENTS: dict[str, tuple[Sequence[str], Callable[["subprocess.Popen[str]", Path], bool]]] = {
    "as soon as it has a child": (("--simulate",), lambda process, _: bool(family_of(process))),
    "as soon as it has a collector": (
        ("--simulate",),
        lambda process, _: "collector.process.collector" in family_of(process),
    ),
    "during the warm-up": (
        ("--simulate", "--stall 1"),
        lambda process, _: "loadgen.monitoring.stall_sampler" in family_of(process),
    ),
    "in the middle": (("--simulate",), lambda _, folder: (folder / "run" / "send_times.bin").exists()),
    "while draining": (
        ("--simulate", "--stall 1", "--num-prompts", "1", "--warmup-requests", "0"),
        lambda _, folder: (folder / "run" / "send_times.bin").exists(),
    ),
}


@pytest.fixture
def tmp() -> Iterator[Path]:
    with temporary() as folder:
        yield folder


@pytest.mark.parametrize("moment", list(MOMENTS))
def test_children_of_a_killed_parent_end_by_themselves_at_any_moment(moment: str, tmp_path: Path, tmp: Path) -> None:
    words, reached = MOMENTS[moment]
    process = command("bench", *T2I, *LONG, "--run-dir", str(tmp_path / "run"), *words, TMPDIR=str(tmp))
    wait_for(moment, lambda: reached(process, tmp_path))
    family = family_of(process)
    process.kill()
    process.communicate(timeout=LIMIT_S)
    wait_for("the children to end", lambda: not any(alive(pid) for pid in family.values()))
    assert list(tmp.iterdir()) == []
    if (tmp_path / "run" / "run.json").exists():
        assert not read_run(tmp_path / "run").complete


@pytest.mark.parametrize("gap_s", [0.0, 0.3])
def test_two_interrupts_end_it_at_once_and_still_with_a_report(gap_s: float) -> None:
    with server(base_ms=5, replicas=50, stall=0.2) as url:
        process = under_way(url)
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(gap_s)
        out, err = process.communicate(timeout=LIMIT_S)
    result = orjson.loads(out)
    assert (process.returncode, "Traceback" in err) == (130, False)
    assert sum(result["outcomes"].values()) == result["offered"]["sent"] > 0
    assert result["outcomes"]["cancelled"] > 0
    assert [reason["rule"] for reason in result["verdict"]["reasons"]][-1] == "interrupted"


def test_two_interrupts_before_the_start_leave_nothing_behind(tmp: Path) -> None:
    words = ("--simulate", "--stall 1", "--num-prompts", "1")
    process = command("bench", *T2I, *words, TMPDIR=str(tmp))
    wait_for("the warm-up", lambda: "loadgen.monitoring.stall_sampler" in family_of(process))
    time.sleep(1)
    family = family_of(process)
    for _ in range(4):
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)
    _, err = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, "Traceback" in err) == (130, False), err
    assert list(tmp.iterdir()) == []
    wait_for("the children to end", lambda: not any(alive(pid) for pid in family.values()))


@pytest.mark.parametrize("victim", ["loadgen.engine.sender_process", "collector.process.collector"])
def test_the_death_of_a_process_during_the_warm_up_is_one_line_that_names_it(victim: str, tmp: Path) -> None:
    process = command("bench", *T2I, "--simulate", "--stall 1", "--num-prompts", "1", TMPDIR=str(tmp))
    wait_for("the warm-up", lambda: "loadgen.monitoring.stall_sampler" in family_of(process))
    time.sleep(1)
    family = family_of(process)
    os.kill(family[victim], signal.SIGKILL)
    _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 1
    assert "died" in err
    assert victim.split(".")[-1].split("_")[0] in err
    assert "Traceback" not in err
    assert list(tmp.iterdir()) == []
    assert not any(alive(pid) for pid in family.values())


def test_a_paused_collector_does_not_hold_up_the_end_and_loses_nothing() -> None:
    with server(base_ms=5, replicas=50) as url:
        process = under_way(url, "--num-prompts", "100")
        os.kill(family_of(process)["collector.process.collector"], signal.SIGSTOP)
        begun = time.monotonic()
        out, _ = process.communicate(timeout=LIMIT_S)
    result = orjson.loads(out)
    assert process.returncode == 0
    assert result["outcomes"]["ok"] == 100
    assert time.monotonic() - begun < 30  # 60 is what a collector may take for the figures


def test_a_paused_sender_that_is_interrupted_gives_up_what_it_holds() -> None:
    with server(stall=1) as url:
        process = under_way(url)
        os.kill(family_of(process)["loadgen.engine.sender_process"], signal.SIGSTOP)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=LIMIT_S)
    result = orjson.loads(out)
    assert process.returncode == 130
    assert result["outcomes"]["cancelled"] == result["offered"]["sent"] > 0
