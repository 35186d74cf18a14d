"""Where, when and with what: the lines above the tables."""

import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import loadgen
from loadgen.system.cpu_affinity import usable_cores
from scripts.benching.nginx import found

PACKAGES = ("uvloop", "httptools", "aiohttp", "pyzmq", "numpy")
ROOT = Path(__file__).parents[2]


def machine() -> str:
    """Processor, system, date and versions."""
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)$", info, re.MULTILINE)
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    system = f"Linux {platform.release()}, Python {platform.python_version()}"
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    ours = f"loadgen {loadgen.__version__}{_commit()}, {_version('nginx')}, {_version('wrk')}"
    return f"{len(usable_cores())} cores, {model[1] if model else 'unknown processor'}, {system}, {now}\n{ours}, {packages}"


def _commit() -> str:
    arguments = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return f" ({done.stdout.strip()})" if done.returncode == 0 else ""


def _version(name: str) -> str:
    """What a program says of itself, its first number with dots."""
    if not (path := found(name)):
        return f"no {name}"
    done = subprocess.run([path, "-v"], capture_output=True, text=True, check=False)
    number = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
    return f"{name} {number[0] if number else 'of an unknown version'}"
