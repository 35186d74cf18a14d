"""The memory check before a run: whether all requests that may be in flight at once fit into memory."""

from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np

from collector.records import shared_memory
from loadgen.planning.plan import Plan

CONNECTION_BYTES: Final = 50_000  # per connection of a sender, without bodies
_MEMINFO, _CGROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")


def shortage(in_flight: int, request: int, answer: int, available: int | None) -> str | None:
    """Return a warning if `in_flight` requests and answers (bytes each, 0: unknown) exceed the available memory."""
    needed = in_flight * (request + answer + CONNECTION_BYTES)
    if available is None or needed <= available:
        return None
    each = f"{_size(request)} a request and {_size(answer)} an answer" if answer else f"{_size(request)} a request"
    return (
        f"not enough memory for {in_flight} requests in flight: {each} make {_size(needed)}"
        f" of {_size(available)} available; lower --max-concurrency, or the system may kill a process of this tool"
    )


def largest_request(plan: Plan) -> int:
    """Size of the largest encoded body in bytes."""
    offsets = shared_memory.attach(plan.store["offsets"].fileno(), np.int64)
    return int(np.diff(offsets).max())


def available_bytes(meminfo: Path = _MEMINFO, cgroup: Path = _CGROUP) -> int | None:
    """Available memory of this machine or container in bytes; None if unknown."""
    limits = []
    with suppress(OSError, ValueError, StopIteration):
        line = next(line for line in meminfo.read_text().splitlines() if line.startswith("MemAvailable:"))
        limits.append(int(line.split()[1]) * 1024)
    with suppress(OSError, ValueError):  # "max" means no limit
        limit, used = ((cgroup / name).read_text() for name in ("memory.max", "memory.current"))
        limits.append(max(int(limit) - int(used), 0))
    return min(limits, default=None)


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
