"""CPU affinity: which process is pinned to which cores (`--pin`)."""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loadgen.errors import UsageError

ROLES = ("scheduler", "collector", "senders")
AUTO = "auto"
_RANGE = re.compile(r"(\d+)(?:-(\d+))?")


@dataclass(frozen=True, slots=True)
class CpuAffinity:
    """Cores by role; a role that is not named is not pinned. Each sender gets one core, in turn."""

    cores: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def of(self, role: str, number: int = 0) -> list[int]:
        """Cores of one process; `number` is that of the sender. Empty if it is not pinned."""
        cores = self.cores.get(role, ())
        return [cores[number % len(cores)]] if role == "senders" and cores else list(cores)

    def all(self) -> list[int]:
        """All cores that any process is pinned to."""
        return sorted({core for cores in self.cores.values() for core in cores})


def usable_cores() -> list[int]:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def parse_affinity(text: str | None, usable: Sequence[int], senders: int) -> CpuAffinity:
    """Read `--pin`: None, `auto`, or `ROLE=CORES,...` with cores such as 3, 1-3 or 0+2. Raises UsageError."""
    if text is None:
        return CpuAffinity()
    if sys.platform != "linux":
        raise UsageError("--pin works on Linux only; leave it out here")
    if text == AUTO:
        return automatic(usable, senders)
    return CpuAffinity(dict(_role(part, usable) for part in text.split(",")))


def automatic(usable: Sequence[int], senders: int) -> CpuAffinity:
    """The first core for scheduler and collector, which need little; the others, from the last, for senders.

    With a single core nothing is pinned.
    """
    if len(usable) < 2:
        return CpuAffinity()
    others = tuple(reversed(usable[1:]))
    return CpuAffinity({"scheduler": (usable[0],), "collector": (usable[0],), "senders": others[:senders]})


def _role(part: str, usable: Sequence[int]) -> tuple[str, tuple[int, ...]]:
    role, mark, cores = part.strip().partition("=")
    if not mark or role not in ROLES:
        raise UsageError(
            f"--pin {part.strip()}: give ROLE=CORES with a role of {', '.join(ROLES)}, such as senders=1-3"
        )
    found = tuple(core for piece in cores.split("+") for core in _cores(piece, part))
    if missing := [core for core in found if core not in usable]:
        raise UsageError(f"--pin {part.strip()}: this process may not use core {missing[0]}; it has {_text(usable)}")
    return role, found


def _cores(piece: str, part: str) -> range:
    found = _RANGE.fullmatch(piece.strip())
    if found is None:
        raise UsageError(f"--pin {part.strip()}: cores are numbers and ranges, such as 0 or 1-3 or 0+2")
    first, last = int(found[1]), int(found[2] or found[1])
    if last < first or last > 1 << 16:
        raise UsageError(f"--pin {part.strip()}: {piece} is not a range of cores")
    return range(first, last + 1)


def _text(cores: Sequence[int]) -> str:
    return ", ".join(map(str, cores))


def apply_placement(setup: Mapping[str, Any]) -> dict[str, Any]:
    """Apply CPU affinity and scheduling policy of a setup message to this process; return the outcome for the report.

    `cores` pins the process; `realtime` requests SCHED_FIFO, which the system may refuse.
    """
    applied: dict[str, Any] = {}
    if cores := setup.get("cores"):
        os.sched_setaffinity(0, cores)
        applied["cores"] = cores
    if setup.get("realtime"):
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
            applied["realtime"] = "SCHED_FIFO"
        except (AttributeError, OSError) as error:
            applied["realtime"] = f"refused ({error})"
    return applied
