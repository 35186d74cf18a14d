"""The timer baseline: how late a bare timerfd wakes a process that does nothing else, on one core.

python -m scripts.benching.timer_baseline RATE SECONDS CORE     prints p50, p99 and max in seconds, as JSON
"""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import uvloop

from loadgen.clock import SECOND_NS, now_ns
from loadgen.engine.timer import TimerfdTimer
from loadgen.system.process_tuning import tune_process


@dataclass(frozen=True, slots=True)
class Lateness:
    """Lateness of wake-ups in s."""

    p50: float
    p99: float
    max: float


def measure(rate: float, seconds: float, core: int) -> Lateness:
    """Run the loop in a process of its own, on `core`."""
    words = [sys.executable, "-m", "scripts.benching.timer_baseline", str(rate), str(seconds), str(core)]
    done = subprocess.run(words, stdout=subprocess.PIPE, check=True, timeout=seconds + 30)
    return Lateness(**json.loads(done.stdout))


async def _sleep(rate: float, seconds: float) -> Any:
    due = now_ns() + 100_000_000 + (np.arange(int(rate * seconds)) * (SECOND_NS / rate)).astype(np.int64)
    late, ended = np.zeros(len(due), np.int64), asyncio.Event()
    place = 0

    def ring() -> None:
        nonlocal place
        while place < len(due) and due[place] <= now_ns():
            late[place] = now_ns() - due[place]
            place += 1
        if place < len(due):
            timer.set(int(due[place]))
        else:
            ended.set()

    timer = TimerfdTimer(asyncio.get_running_loop(), ring)
    tune_process()
    timer.set(int(due[0]))
    await ended.wait()
    return late


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[3])})
    late = np.sort(uvloop.run(_sleep(float(sys.argv[1]), float(sys.argv[2])))) / SECOND_NS
    at = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    print(json.dumps({name: float(late[int(np.ceil(p * len(late))) - 1]) for name, p in at.items()}))
