"""The knee of a sweep: where more load begins to cost more in latency than it brings in throughput.

It is the rate with the most power, throughput / mean latency (Kleinrock, Power and deterministic rules of thumb for
probabilistic problems in computer communications, ICC 1979): up to there a per cent more throughput costs less than a
per cent of latency, beyond it more. For M/M/1 that is half of capacity.
"""

from collections.abc import Sequence
from typing import TypedDict

from collector.sweeps.point import Point


class Knee(TypedDict):
    """The rate of the knee (requests/s), null where there is none; `note` says what to think of it."""

    rate: float | None
    note: str


def power(point: Point) -> float | None:
    """Successes/s by seconds of mean latency; None where either is not known."""
    throughput = point["throughput"]["value"]
    return throughput / point["mean"] if throughput and point["mean"] else None


def knee(points: Sequence[Point]) -> Knee:
    """Find the knee among the VALID points, ascending; those at either end of them only bound it."""
    found = [(power(point) or 0.0, point["rate"]) for point in points if point["state"] == "VALID" and power(point)]
    if len(found) < 2:
        return Knee(rate=None, note="fewer than two rates with a VALID run, so there is no knee to see")
    rate = max(found)[1]
    if rate == found[-1][1]:
        return Knee(
            rate=None, note=f"power still rises at {rate:g}/s, the highest VALID rate: the knee is there or above"
        )
    if rate == found[0][1]:
        return Knee(rate=None, note=f"power falls from {rate:g}/s, the lowest VALID rate: the knee is there or below")
    return Knee(rate=rate, note="most throughput a second of mean latency (Kleinrock's power)")
