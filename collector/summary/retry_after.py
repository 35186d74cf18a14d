"""Retry-After: how many answers had the header, and the delays that they asked for."""

from dataclasses import dataclass
from typing import Final

from collector.summary.result import RetryAfter

_SHOWN: Final = 60  # characters of a value


@dataclass(slots=True)
class RetryAfterCounts:
    """Counts Retry-After values as they arrive, in constant memory."""

    count: int = 0
    min_s: float | None = None
    max_s: float | None = None
    example: str | None = None

    def take(self, value: str) -> None:
        """Count one value: seconds, or a date (RFC 9110, section 10.2.3), which only serves as an example."""
        self.count += 1
        self.example = self.example or value[:_SHOWN]
        if value.isascii() and value.isdigit() and len(value) <= _SHOWN:
            seconds = float(value)
            self.min_s = seconds if self.min_s is None else min(self.min_s, seconds)
            self.max_s = seconds if self.max_s is None else max(self.max_s, seconds)

    def figures(self) -> RetryAfter | None:
        """The figures for the result, or None if no answer had the header."""
        if not self.count:
            return None
        return RetryAfter(count=self.count, min_s=self.min_s, max_s=self.max_s, example=self.example)
