"""Write errors: answers that could not be captured or saved."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

NAMED: Final = 20  # requests that are listed


@dataclass(slots=True)
class WriteErrors:
    """The number of lost answers, the reason of the first, and their plan indexes (the lowest 20)."""

    count: int = 0
    example: str = ""
    requests: list[int] = field(default_factory=list)

    def add(self, index: int, why: str) -> None:
        """Count one more."""
        self.join({"count": 1, "example": why, "requests": [index]})

    def join(self, others: Mapping[str, Any]) -> None:
        """Add the write errors of another process, in the form of `dataclasses.asdict`."""
        self.count += others["count"]
        self.example = self.example or others["example"]
        self.requests = sorted([*self.requests, *others["requests"]])[:NAMED]
