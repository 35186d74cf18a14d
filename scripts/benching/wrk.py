"""wrk: what one client core can do in C, in a closed loop."""

import re
import subprocess
from dataclasses import dataclass

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "B": 1.0, "KB": 1024.0, "MB": 1024.0**2, "GB": 1024.0**3}


@dataclass(frozen=True, slots=True)
class Wrk:
    """Requests/s, bytes/s, and the median latency in seconds."""

    rate: float
    bytes_s: float
    p50_s: float


def measure(url: str, core: int, connections: int, seconds: int, path: str = "/v1/chat/completions") -> Wrk:
    """Run wrk with one thread on one core."""
    words = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", url + path]
    return parse(subprocess.run(words, capture_output=True, text=True, check=True, timeout=seconds + 30).stdout)


def parse(text: str) -> Wrk:
    """Read what wrk prints."""
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    amount = re.search(r"Transfer/sec:\s+([\d.]+)([KMG]?B)", text)
    median = re.search(r"50%\s+([\d.]+)(us|ms|s)", text)
    if not (rate and amount and median):
        raise SystemExit(f"wrk printed something else than expected:\n{text}")
    return Wrk(float(rate[1]), float(amount[1]) * _UNITS[amount[2]], float(median[1]) * _UNITS[median[2]])
