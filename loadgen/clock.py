"""The clock of all timestamps: CLOCK_MONOTONIC in integer nanoseconds, the same for all processes of a host."""

import time

now_ns = time.monotonic_ns
SECOND_NS = 1_000_000_000


def seconds(ns: int) -> float:
    """Nanoseconds as seconds."""
    return ns / SECOND_NS
