"""kill -9 of any one of our processes at any moment: the rest notices, accounts for everything and leaves nothing."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from collector.saved.run_folder import read_run
from tests.faults.test_stops import alive, children, temporary, wait_for
from tests.support.commands import LIMIT_S, T2I, command, server

PLANNED = 60
LOAD = ("--num-prompts", str(PLANNED), "--request-rate", "40", "--max-concurrency", "100", "--senders", "2")
SERVICE_MS = 3000.0  # longer than the schedule takes: there is a time when all are sent and none is answered
NOTICED_S = 2.0
NAMES = {
    "loadgen.engine.scheduler": "scheduler",
    "loadgen.engine.sender_process": "sender ",
    "collector.process.collector": "collector",
    "loadgen.monitoring.stall_sampler": "sampler",
}


@dataclass(frozen=True, slots=True)
class Run:
    """One run under way in a folder of its own, whose temporary files are there too."""

    process: "subprocess.Popen[str]"
    folder: Path
    tmp: Path

    @classmethod
    def begin(cls, url: str, folder: Path, tmp: Path) -> "Run":
        """Start it; it shares its server with others, so nothing but its own folder says how far it is."""
        words = (*T2I, *LOAD, "--base-url", url, "--run-dir", str(folder / "run"), "--output-file", "-")
        tmp.mkdir()
        return cls(command("bench", *words, "--warmup-requests", "0", TMPDIR=str(tmp)), folder, tmp)

    def has_begun(self) -> bool:
        return (self.folder / "run" / "run.json").exists()

    def sent(self) -> int:
        """How many requests are marked as sent."""
        marks = self.folder / "run" / "send_times.bin"
        content = marks.read_bytes() if marks.exists() else b""
        return sum(content[i : i + 8] != bytes(8) for i in range(0, len(content), 8))

    def left_behind(self, family: dict[str, int]) -> list[object]:
        """What should not be there any more: processes, sockets, temporary files."""
        return [pid for pid in family.values() if alive(pid)] + [str(path) for path in self.tmp.iterdir()]


SENDER, COLLECTOR, SCHEDULER, SAMPLER = (
    *("loadgen.engine.sender_process", "collector.process.collector"),
    *("loadgen.engine.scheduler", "loadgen.monitoring.stall_sampler"),
)
MOMENTS: dict[str, tuple[Callable[[Run], bool], tuple[str, ...]]] = {
    "at the start": (Run.has_begun, (SENDER, SCHEDULER)),
    "in the middle": (lambda run: run.sent() >= 10, (SENDER, SCHEDULER, COLLECTOR, SAMPLER)),
    "while draining": (lambda run: run.sent() == PLANNED, (SENDER, COLLECTOR)),
}


@pytest.mark.parametrize("moment", list(MOMENTS))
def test_a_run_whose_process_is_killed_ends_with_everything_accounted_for_and_leaves_nothing(
    moment: str, tmp_path: Path
) -> None:
    reached, victims = MOMENTS[moment]
    with server(base_ms=SERVICE_MS, replicas=1000) as url, temporary() as tmp:
        runs = {victim: Run.begin(url, tmp_path / victim, tmp / victim) for victim in victims}
        waiting, families, killed_ns = dict(runs), {}, {}
        while waiting:
            wait_for(moment, lambda: any(map(reached, waiting.values())))
            for victim, run in [pair for pair in waiting.items() if reached(pair[1])]:
                families[victim] = children(run.process.pid)
                assert run.left_behind({}), "nothing to find, so the check at the end would be void"
                os.kill(families[victim][victim], signal.SIGKILL)
                killed_ns[victim] = time.monotonic_ns()
                del waiting[victim]
        for victim, run in runs.items():
            result = check_killed(run, victim, families[victim], killed_ns[victim])
            lost = result["outcomes"]["lost"]
            assert f"and lost {lost} request" in result["verdict"]["reasons"][0]["text"]
            assert lost > 0 or victim != SENDER or moment == "at the start"


def check_killed(run: Run, victim: str, family: dict[str, int], killed_ns: int) -> dict[str, Any]:
    out, err = run.process.communicate(timeout=LIMIT_S)
    result: dict[str, Any] = orjson.loads(out)
    first, *others = result["verdict"]["reasons"]
    assert run.process.returncode == 1
    assert "Traceback" not in err
    assert result["verdict"]["state"] == "INVALID"
    assert (first["rule"], NAMES[victim] in first["text"]) == ("died", True)
    assert "conservation" not in [reason["rule"] for reason in others]
    assert result["offered"]["sent"] + result["offered"]["unsent"] == PLANNED
    assert sum(result["outcomes"].values()) == result["offered"]["sent"]
    assert result["end"]["stopped_ns"] - killed_ns < NOTICED_S * 1e9
    saved = read_run(run.folder / "run")
    assert saved.complete
    assert int((saved.info.send_time_ns != 0).sum()) == result["offered"]["sent"]
    assert run.left_behind(family) == []
    return result
