"""The resource usage of this process over a run: CPU time, context switches, peak memory."""

import resource
import sys
import time
from pathlib import Path
from typing import TypedDict


class ResourceFigures(TypedDict):
    """`cpu_share` is the share of one core over `wall_s`; peak memory is the resident set size."""

    cpu_s: float
    wall_s: float
    cpu_share: float
    voluntary_switches: int
    involuntary_switches: int
    peak_memory_mb: float


class ResourceUsage:
    """Measures from its construction on."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._usage = resource.getrusage(resource.RUSAGE_SELF)

    def figures(self) -> ResourceFigures:
        """The usage since construction."""
        before, usage = self._usage, resource.getrusage(resource.RUSAGE_SELF)
        wall_s = time.monotonic() - self._began
        cpu_s = usage.ru_utime - before.ru_utime + usage.ru_stime - before.ru_stime
        return ResourceFigures(
            cpu_s=cpu_s,
            wall_s=wall_s,
            cpu_share=cpu_s / wall_s if wall_s else 0.0,
            voluntary_switches=usage.ru_nvcsw - before.ru_nvcsw,
            involuntary_switches=usage.ru_nivcsw - before.ru_nivcsw,
            peak_memory_mb=_peak_memory_mb(usage.ru_maxrss),
        )


def _peak_memory_mb(max_rss: int) -> float:
    """Peak resident memory, from /proc: on Linux `ru_maxrss` is at least that of the parent at the time of the fork."""
    if sys.platform == "darwin":
        return max_rss / (1 << 20)
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return max_rss / 1024
