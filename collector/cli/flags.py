"""Flags of `loadgen report`, and the checks of their values."""

import argparse
import math
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from collector.saved import export

EXAMPLES: Final = """\
examples:
  print the report of a saved run again
    loadgen report runs/tuesday

  use another SLO target and more percentiles
    loadgen report runs/tuesday --slo-ms 4000 --percentiles 50,90,99.5

  write an HTML page to runs/tuesday/report.html
    loadgen report runs/tuesday --html

  export one row per request
    loadgen report runs/tuesday --export csv --export-file tuesday.csv
"""
_LARGEST_MS: Final = 1e12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `report`."""
    parser.add_argument("folders", metavar="DIR", nargs="+", type=Path, help="a folder written by --run-dir")
    parser.add_argument(
        "--latency-from",
        choices=("scheduled", "sent"),
        help="start of latency_* and of the SLO: the scheduled time or the time sent; default: as in the run",
    )
    parser.add_argument(
        "--slo-ms",
        type=_positive,
        metavar="MS",
        help="SLO target of every request, in milliseconds; default: as in the run",
    )
    parser.add_argument(
        "--percentiles", type=_percentiles, default={}, metavar="P,P", help="additional percentiles, such as 50,99.5"
    )
    parser.add_argument(
        "--confidence",
        type=_confidence,
        metavar="P",
        help="confidence level of all intervals, 0.5 to 0.9999, such as 0.99",
    )
    parser.add_argument(
        "--html",
        nargs="?",
        const="",
        metavar="PATH",
        help="write an HTML page with plots; default PATH: DIR/report.html; - is standard output",
    )
    parser.add_argument("--export", choices=export.FORMATS, help="write one row per planned request in this format")
    parser.add_argument(
        "--export-file", type=Path, metavar="PATH", help="file of --export; default: DIR/requests.FORMAT"
    )
    parser.add_argument("--output-file", metavar="PATH", help="write the result as JSON; - is standard output")


def _positive(text: str) -> float:
    value = _number(text)
    if not 0 < value < _LARGEST_MS:
        raise argparse.ArgumentTypeError(f"{text} is not a number of milliseconds above 0 and below {_LARGEST_MS:g}")
    return value


def _confidence(text: str) -> float:
    value = _number(text)
    if not 0.5 <= value <= 0.9999:
        raise argparse.ArgumentTypeError(f"{text} is not a number between 0.5 and 0.9999")
    return value


def _percentiles(text: str) -> dict[str, float]:
    """Return {text: fraction}, such as {"99.9": 0.999}; Decimal, because 99.9 / 100 in floats is not 0.999."""
    try:
        fractions = {part.strip(): float(Decimal(part.strip()) / 100) for part in text.split(",")}
    except (InvalidOperation, OverflowError):
        fractions = {text: math.nan}
    if not all(0 < fraction <= 1 for fraction in fractions.values()):
        raise argparse.ArgumentTypeError(f"{text} is not a list of percentiles, such as 50,99.5")
    return fractions


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
