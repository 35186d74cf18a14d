"""The stall sampler process: sleeps on each core that the run uses, and logs late wake-ups (scheduling stalls).

    python -m loadgen.monitoring.stall_sampler CHANNEL

It does no work, so a late wake-up is the machine's doing: other programs, a hypervisor, the kernel. Where permitted it
runs at real-time priority, so that this tool's own processes cannot delay it.
"""

import errno
import os
import sys
import threading
import time
from bisect import bisect_left
from contextlib import suppress
from typing import Any, Final

import numpy as np

from collector.records.control_channel import Channel, Closed, readable
from collector.records.stalls import STALL
from loadgen.clock import now_ns
from loadgen.system.process_tuning import tune_process

PERIOD_S: Final = 0.01  # 100 wake-ups a second per core, some 0.7 % of it; shorter stalls may be missed
LATE_NS: Final = 1_000_000  # a wake-up this late is a stall
KEPT: Final = 100_000  # stalls that are logged, some 2 MB
_EDGES: Final = np.geomspace(1e3, 1e10, 281).tolist()  # ns; 6 % a bucket


class Sampler:
    """One thread per core. The histogram counts all wake-ups, the file holds only the stalls."""

    def __init__(self, cores: list[int], descriptor: int) -> None:
        self._descriptor, self._remaining = descriptor, KEPT
        self._counts = {core: [0] * (len(_EDGES) + 1) for core in cores}  # one writer each, so no lock
        self._max_ns = dict.fromkeys(cores, 0)
        self.realtime = False
        self.unwritten: str | None = None
        self._threads = [threading.Thread(target=self._sample, args=(core,), daemon=True) for core in cores]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def _sample(self, core: int) -> None:
        with suppress(AttributeError, OSError):
            os.sched_setaffinity(0, [core])
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(2))
            self.realtime = True
        while True:
            due_ns = now_ns() + int(PERIOD_S * 1e9)
            time.sleep(PERIOD_S)
            self._count(core, due_ns, now_ns() - due_ns)

    def _count(self, core: int, due_ns: int, late_ns: int) -> None:
        self._counts[core][bisect_left(_EDGES, late_ns)] += 1
        self._max_ns[core] = max(self._max_ns[core], late_ns)
        if late_ns >= LATE_NS and self._remaining > 0 and self.unwritten is None:
            self._remaining -= 1
            self._write(np.array([(core, due_ns, late_ns)], STALL).tobytes())

    def _write(self, row: bytes) -> None:
        try:
            if os.write(self._descriptor, row) != len(row):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self.unwritten = f"stalls: {error.strerror}"

    def report(self) -> dict[str, Any]:
        """Wake-up lateness: count, percentiles (s, to within 10 %), maximum (s), and number of stalls."""
        ranks = np.cumsum(np.sum(list(self._counts.values()), axis=0))
        total, max_ns = int(ranks[-1]), max(self._max_ns.values())

        def percentile(p: float) -> float | None:
            if not total:
                return None
            edge = min(int(np.searchsorted(ranks, np.ceil(p * total))), len(_EDGES) - 1)
            return min(float(_EDGES[edge]), max_ns) / 1e9

        return {
            "samples": total,
            "p50": percentile(0.5),
            "p99": percentile(0.99),
            "max": max_ns / 1e9,
            "stalls": KEPT - self._remaining,
            "realtime": self.realtime,
        }


def main(descriptor: int) -> None:
    """Run until the parent sends `exit` or closes the channel; report at `stop`."""
    channel = Channel.inherited(descriptor)
    sampler: Sampler | None = None
    with suppress(Closed):
        while True:
            readable([channel.fileno()])
            for message in channel.receive():
                kind = message["kind"]
                if kind == "setup":
                    sampler = Sampler(message["sampled"], message["stalls"])
                    channel.send("ready")
                elif kind == "start" and sampler:
                    tune_process()
                    sampler.start()
                elif kind == "stop" and sampler:
                    channel.send("idle", **sampler.report(), unwritten=sampler.unwritten)
                elif kind == "exit":
                    return


if __name__ == "__main__":
    main(int(sys.argv[1]))
