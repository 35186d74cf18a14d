"""Runs `loadgen bench` as a subprocess and reads its JSON result."""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.benching.errors import NoResultError
from scripts.benching.nginx import SIDE
from scripts.benching.process_usage import Snapshot, cpu_s, growth_mb, peak_mb, sampled
from scripts.benching.table import UNKNOWN

LIMIT_S = 300
SIZED = ("--width", str(SIDE), "--height", str(SIDE))


@dataclass(frozen=True, slots=True)
class Run:
    """A result, the wall time of the whole command in s, and the samples of its processes if requested."""

    result: dict[str, Any]
    wall_s: float
    snapshots: list[Snapshot]

    @property
    def failed(self) -> bool:
        """Whether the rate was not sent, or not all of it answered."""
        asked, planned = self.figure("offered", "asked_rate"), self.figure("offered", "planned")
        if self.figure("completed_requests") < planned:
            return True
        return asked != float("inf") and (self.result["offered"]["achieved_rate"] or 0.0) < 0.99 * asked

    def figure(self, *keys: str) -> float:
        """A figure of the result; infinite where it is null, as a percentile is that falls among failures."""
        value: Any = self.result
        for key in keys:
            value = value[key]
        return UNKNOWN if value is None else float(value)

    def cpu_ms_per_request(self, process: str) -> float:
        """Milliseconds of CPU for each answer, of a process of the tool; the same figure as s per 1,000 requests."""
        spent_s: float = self.result["processes"].get(process, {}).get("cpu_s", UNKNOWN)
        return 1e3 * spent_s / max(int(self.result["completed_requests"]), 1)

    def cpu_share(self) -> float:
        """CPU of all processes from time zero on, as a share of one core; needs looks."""
        ended_ns, duration_s = self.result["end"]["ended_ns"], self.result["duration"]
        spent_s = cpu_s(self.snapshots, ended_ns - round(duration_s * 1e9), ended_ns)
        return spent_s / float(duration_s)

    def peak_mb(self) -> float:
        """Most memory (PSS) of all processes at one time; needs looks."""
        return peak_mb(self.snapshots)

    def growth_mb(self, name: str) -> float:
        """How much the own memory of a process grew after its first quarter; needs looks."""
        return growth_mb(self.snapshots, name)


def bench(*arguments: str, sampler_core: int | None = None) -> Run:
    """Run `loadgen bench` on random prompts and read its JSON; `sampler_core` is a core to look at its processes from.

    Raises NoResultError.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "result.json"
        command = [sys.executable, "-m", "loadgen", "bench", "--dataset", "random", "--task", "t2i", *SIZED, *arguments]
        command += ["--warmup-requests", "0", "--disable-tqdm", "--output-file", str(place)]
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        with process, sampled(process.pid, sampler_core) as snapshots:
            errors = _last_words(process)
        wall_s = time.monotonic() - began
        if not place.exists():
            raise NoResultError(f"loadgen bench {' '.join(arguments)}: {errors}")
        return Run(json.loads(place.read_bytes()), wall_s, snapshots)


def _last_words(process: "subprocess.Popen[bytes]") -> str:
    """Wait for the end, at most LIMIT_S; return the last line on standard error. Its children end when it does."""
    try:
        errors = process.communicate(timeout=LIMIT_S)[1]
    except subprocess.TimeoutExpired:
        return f"did not end within {LIMIT_S} s"
    finally:
        process.kill()
    return (errors.decode(errors="replace").strip().splitlines() or ["no word"])[-1]
