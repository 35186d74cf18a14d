"""Losses: what could not be kept or saved."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

NAMED: Final = 20  # requests that a report names


@dataclass(slots=True)
class WriteErrors:
    """How many answers were lost, why the first one, and of which requests (the first 20)."""

    count: int = 0
    example: str = ""
    requests: list[int] = field(default_factory=list)

    def add(self, index: int, why: str) -> None:
        """Count one more."""
        self.join({"count": 1, "example": why, "requests": [index]})

    def join(self, others: Mapping[str, Any]) -> None:
        """Count what somebody else has lost, as `dataclasses.asdict` tells it."""
        self.count += others["count"]
        self.example = self.example or others["example"]
        self.requests = sorted([*self.requests, *others["requests"]])[:NAMED]
