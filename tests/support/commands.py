"""Runs the real command in a process of its own, and talks to the simulated server."""

import os
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from loadgen.processes.simulated_server import simulated
from loadgen.simulator.engine.options import SimulatorOptions

ROOT = Path(__file__).parents[2]
T2I = ("--task", "t2i", "--dataset", "random", "--width", "256", "--height", "256", "--disable-tqdm")
LIMIT_S = 90  # hangs fail, slow machines do not
LOADGEN = f"{shlex.quote(sys.executable)} -m loadgen"
SMALL = "--task t2i --dataset random --width 64 --height 64 --disable-tqdm --senders 1"
FAST = "--simulate='--base-ms 5 --replicas 50'"  # these three are words for a shell


@contextmanager
def server(**options: Any) -> Iterator[str]:
    """A simulated server in a process of its own; gives its base URL."""
    with simulated(SimulatorOptions(port=0, **options)) as url:
        yield url


def fetch(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return orjson.loads(answer.read())


def command(*words: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "loadgen", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
    )


def run(*words: str, **environment: str) -> tuple[int, str, str]:
    """Run one command line to its end; return exit code, standard output and standard error."""
    process = command(*words, **environment)
    out, err = process.communicate(timeout=LIMIT_S)
    return process.returncode, out, err


def bench(*words: str, code: int = 0, **environment: str) -> dict[str, Any]:
    """Run `loadgen bench` and return its JSON."""
    returned, out, err = run("bench", *words, "--output-file", "-", **environment)
    assert returned == code, f"exit {returned}\n{out}\n{err}"
    result: dict[str, Any] = orjson.loads(out)
    return result


def shell(script: str) -> "subprocess.CompletedProcess[str]":
    """Run a script of one shell, as somebody types it."""
    return subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S)


def can_unshare(what: str) -> bool:
    return subprocess.run(["unshare", what, "true"], capture_output=True).returncode == 0
