"""The share of the requests that failed, in words that stand beside a verdict."""

from collections.abc import Mapping
from typing import Final

SHOWN_KINDS: Final = 2  # the most frequent ones


def failed_requests(failed: int, sent: int) -> str:
    """Say how many requests failed, such as "53 of 60 requests failed"; empty if none did."""
    return f"{failed:,} of {sent:,} requests failed" if failed else ""


def error_kinds(errors: Mapping[str, int]) -> str:
    """Name the most frequent error kinds, such as "http_503" or "40 http_503, 13 timeout"; `errors` has the counts."""
    if len(errors) <= 1:
        return "".join(errors)
    ranked = sorted(errors.items(), key=lambda error: -error[1])
    shown = [f"{count:,} {name}" for name, count in ranked[:SHOWN_KINDS]]
    more = len(ranked) - len(shown)
    return ", ".join([*shown, *([f"{more} other kinds" if more > 1 else "1 other kind"] if more else [])])
