"""wrk: what one client core can do in C, in a closed loop."""

import re
import subprocess
from dataclasses import dataclass

from scripts.benching.errors import NoResultError

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "B": 1.0, "KB": 1024.0, "MB": 1024.0**2, "GB": 1024.0**3}


@dataclass(frozen=True, slots=True)
class Wrk:
    """Requests/s, bytes/s, and the median latency in seconds."""

    rate: float
    bytes_s: float
    p50_s: float


def measure(url: str, core: int, connections: int, seconds: int, path: str = "/v1/chat/completions") -> Wrk:
    """Run wrk with one thread on one core. Raises NoResultError."""
    arguments = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", url + path]
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=seconds + 30)
    except subprocess.TimeoutExpired:
        raise NoResultError(f"wrk did not end within {seconds + 30} s") from None
    return parse(done.stdout + done.stderr)


def parse(text: str) -> Wrk:
    """Read what wrk prints. Raises NoResultError, also where some of the answers were no answers."""
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    amount = re.search(r"Transfer/sec:\s+([\d.]+)([KMG]?B)", text)
    median = re.search(r"^\s+50%\s+([\d.]+)(us|ms|s)$", text, re.MULTILINE)
    if not (rate and amount and median):
        raise NoResultError(f"wrk printed something else than figures: {text.strip()[:200]}")
    if bad := re.search(r"Non-2xx or 3xx responses: \d+|Socket errors: .*", text):
        raise NoResultError(f"wrk had {bad[0]}")
    return Wrk(float(rate[1]), float(amount[1]) * _UNITS[amount[2]], float(median[1]) * _UNITS[median[2]])
