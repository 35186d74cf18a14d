"""Markdown tables, and numbers that people can read."""

import math
from collections.abc import Iterable, Sequence
from statistics import median

from collector.text import quantity

UNKNOWN = math.inf  # so that what is not known never looks like a good figure


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with its columns aligned."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in [head, *rows]]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def middle(values: Iterable[float]) -> float:
    """Median; UNKNOWN of no values."""
    known = list(values)
    return median(known) if known else UNKNOWN


def seconds(value_s: float) -> str:
    """A time with its unit."""
    return quantity.seconds(value_s if math.isfinite(value_s) else None)


def number(value: float, decimals: int = 0) -> str:
    """A number with its thousands apart."""
    return f"{value:,.{decimals}f}" if math.isfinite(value) else quantity.UNKNOWN
