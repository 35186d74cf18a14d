"""What is judged of a run besides its verdict: whether it was steady, and whether arrivals were as asked for."""

from typing import TypedDict


class Stationarity(TypedDict):
    """Whether the latencies of the run are of one kind: a warm-up transient at its start, or a drift.

    `cut` is how many of the first that succeeded are a transient (0: none; `cut_share` of `n`). `drift_change` is by
    what share of their mean the others change from the first to the last, and `drift_p` how likely that is by chance,
    both null where `batches` are too few to tell. Nothing is cut.
    """

    n: int
    cut: int
    cut_share: float
    batches: int
    drift_p: float | None
    drift_change: float | None
    warning: str | None


class SecondCount(TypedDict):
    """Requests planned for one second, and sent in it."""

    at_s: int
    planned: int
    sent: int


class SecondCounts(TypedDict):
    """The planned span in seconds, and the second where the sends were furthest from the plan."""

    seconds: int
    worst: SecondCount


class ArrivalAudit(TypedDict):
    """Kolmogorov and Smirnov's `distance` of the planned gaps from what was asked for, and its `p`; null: not judged.

    `per_second` is null in a closed loop, which plans nothing.
    """

    process: str
    gaps: int
    distance: float | None
    p: float | None
    per_second: SecondCounts | None
    warning: str | None
