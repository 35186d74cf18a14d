"""The types of the figures on what the server's answers contained and reported."""

from typing import TypedDict


class ServerTime(TypedDict):
    """Mean, percentiles and maximum in seconds, of the `n` successful requests for which it is known."""

    n: int
    mean: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    max: float | None


class MediaRemark(TypedDict):
    """`count` of the `of` successful requests for `requested` got `received` instead.

    `kind` is size (WxH in pixels), frames or format. `requested` is null for a format that was not requested, and for
    the last remark of a kind with more than 8 pairs, which counts the other pairs together.
    """

    kind: str
    requested: str | None
    received: str
    count: int
    of: int
