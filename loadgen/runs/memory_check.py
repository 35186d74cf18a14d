"""Memory: whether what may be in flight at once fits into this machine, said before the start."""

from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np

from collector.records import shared_memory
from loadgen.planning.plan import Plan

CONNECTION_BYTES: Final = 50_000  # of a sender, besides bodies
_MEMINFO, _CGROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")


def shortage(in_flight: int, request: int, answer: int, available: int | None) -> str | None:
    """Say that `in_flight` requests and answers (bytes each, 0: not known) are more than what is available, if so."""
    needed = in_flight * (request + answer + CONNECTION_BYTES)
    if available is None or needed <= available:
        return None
    each = f"{_size(request)} a request and {_size(answer)} an answer" if answer else f"{_size(request)} a request"
    return (
        f"not enough memory if all {in_flight} requests that may be are in flight at once: {each} make {_size(needed)}"
        f" of {_size(available)} available; lower --max-concurrency, or a process of ours may be killed"
    )


def largest_request(plan: Plan) -> int:
    """Size of the largest encoded body in bytes."""
    offsets = shared_memory.attach(plan.store["offsets"].fileno(), np.int64)
    return int(np.diff(offsets).max())


def available_bytes(meminfo: Path = _MEMINFO, cgroup: Path = _CGROUP) -> int | None:
    """Memory that this machine, or the container around us, still has; None where nobody says."""
    limits = []
    with suppress(OSError, ValueError, StopIteration):
        line = next(line for line in meminfo.read_text().splitlines() if line.startswith("MemAvailable:"))
        limits.append(int(line.split()[1]) * 1024)
    with suppress(OSError, ValueError):  # "max" is no number
        limit, used = ((cgroup / name).read_text() for name in ("memory.max", "memory.current"))
        limits.append(max(int(limit) - int(used), 0))
    return min(limits, default=None)


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
