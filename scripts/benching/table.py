"""Markdown tables, and numbers that people can read."""

from collections.abc import Sequence
from statistics import median

from collector import quantity

seconds = quantity.seconds


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with its columns aligned."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in [head, *rows]]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def middle(values: Sequence[float | None]) -> float | None:
    """Median of the values that are there."""
    known = [value for value in values if value is not None]
    return median(known) if known else None
