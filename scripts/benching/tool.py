"""The tool, run as a user runs it, with an eye on its processes from outside."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LIMIT_S = 300


@dataclass(frozen=True, slots=True)
class Run:
    """A result, the wall time of the whole command in s, its CPU in s, and its peak memory (PSS) in MB, if sampled."""

    result: dict[str, Any]
    wall_s: float
    cpu_s: float
    peak_mb: float

    @property
    def failed(self) -> bool:
        """Whether the rate was not sent, or not all of it answered."""
        offered, asked = self.result["offered"], float(self.result["offered"]["asked_rate"])
        short = asked != float("inf") and (offered["achieved_rate"] or 0) < 0.99 * asked
        return short or self.result["failed_requests"] > 0

    def cpu_ms_per_request(self, process: str) -> float:
        """Milliseconds of CPU for each request, of a process of the tool; the same figure as s per 1,000 requests."""
        cpu_s: float = self.result["self"].get(process, {}).get("cpu_s", 0.0)
        return 1e3 * cpu_s / max(int(self.result["completed_requests"]), 1)


def bench(*words: str, memory: bool = False) -> Run:
    """Run `loadgen bench` on random prompts and read its JSON; `memory` samples what all its processes use."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "result.json"
        command = [sys.executable, "-m", "loadgen", "bench", "--dataset", "random", "--task", "t2i", *words]
        command += ["--warmup-requests", "0", "--disable-tqdm", "--output-file", str(place)]
        began, before = time.monotonic(), os.times()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        peaks = [0.0]
        watcher = threading.Thread(target=_watch, args=(process.pid, peaks), daemon=True)
        if memory:
            watcher.start()
        _, errors = process.communicate(timeout=LIMIT_S)
        wall_s, after = time.monotonic() - began, os.times()
        if not place.exists():
            raise SystemExit(f"{' '.join(command)}\n{errors.decode()}")
        cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
        return Run(json.loads(place.read_bytes()), wall_s, cpu_s, peaks[0])


def _watch(parent: int, peaks: list[float]) -> None:
    while Path(f"/proc/{parent}").exists():
        total = sum(_pss_mb(pid) for pid in [parent, *_children(parent)])
        peaks[0] = max(peaks[0], total)
        time.sleep(0.2)


def _children(parent: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(path.read_text().rsplit(")", 1)[1].split()[1]) == parent:
                found.append(int(path.parent.name))
    return found


def _pss_mb(pid: int) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0
