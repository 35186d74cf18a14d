"""The knee of a sweep: the rate beyond which latency grows by a larger factor than throughput.

It maximises power, throughput / mean latency (Kleinrock, Power and deterministic rules of thumb for probabilistic
problems in computer communications, ICC 1979): below it 1 % more throughput costs less than 1 % of latency, above it
more. For M/M/1 that is half of capacity.
"""

from collections.abc import Sequence
from typing import TypedDict

from collector.sweeps.point import Point


class Knee(TypedDict):
    """The rate of the knee (requests/s), null if there is none; `note` explains it."""

    rate: float | None
    note: str


def power(point: Point) -> float | None:
    """Throughput (1/s) divided by mean latency (s); None if either is unknown."""
    throughput = point["throughput"]["value"]
    return throughput / point["mean"] if throughput and point["mean"] else None


def knee(points: Sequence[Point]) -> Knee:
    """Find the knee among the VALID points, by ascending rate; the first and the last point only bound it."""
    found = [(power(point) or 0.0, point["rate"]) for point in points if point["state"] == "VALID" and power(point)]
    if len(found) < 2:
        return Knee(rate=None, note="fewer than two rates with a VALID run, so no knee can be found")
    rate = max(found)[1]
    if rate == found[-1][1]:
        return Knee(
            rate=None, note=f"power still rises at {rate:g}/s, the highest VALID rate: the knee is there or above"
        )
    if rate == found[0][1]:
        return Knee(rate=None, note=f"power falls from {rate:g}/s, the lowest VALID rate: the knee is there or below")
    return Knee(rate=rate, note="highest throughput / mean latency (Kleinrock's power)")
