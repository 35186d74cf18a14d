"""Patience: how many answers asked to come back later (Retry-After), and how much later."""

from dataclasses import dataclass
from typing import Final

from collector.summary.result import RetryAfter

_SHOWN: Final = 60  # characters of a value


@dataclass(slots=True)
class RetryAfterCounts:
    """Counts the values of Retry-After as they come; memory stays flat whatever a server sends."""

    count: int = 0
    least_s: float | None = None
    most_s: float | None = None
    example: str | None = None

    def take(self, value: str) -> None:
        """Count one value: seconds, or a date (RFC 9110, section 10.2.3), which is only kept as an example."""
        self.count += 1
        self.example = self.example or value[:_SHOWN]
        if value.isascii() and value.isdigit() and len(value) <= _SHOWN:
            seconds = float(value)
            self.least_s = seconds if self.least_s is None else min(self.least_s, seconds)
            self.most_s = seconds if self.most_s is None else max(self.most_s, seconds)

    def figures(self) -> RetryAfter | None:
        """Return what was seen, or None where nothing was."""
        if not self.count:
            return None
        return RetryAfter(count=self.count, least_s=self.least_s, most_s=self.most_s, example=self.example)
