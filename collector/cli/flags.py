"""Flags of `loadgen report`, and what their words may be."""

import argparse
import math
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from collector.saved import export

EXAMPLES: Final = """\
examples:
  what came of it, once more
    loadgen report runs/tuesday

  against another target, and with the percentiles of a contract
    loadgen report runs/tuesday --slo-ms 4000 --percentiles 50,90,99.5

  a page to look at: runs/tuesday/report.html
    loadgen report runs/tuesday --html

  a row a request, for a notebook
    loadgen report runs/tuesday --export csv --export-file tuesday.csv
"""
_LARGEST_MS: Final = 1e12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `report`."""
    parser.add_argument("folders", metavar="DIR", nargs="+", type=Path, help="a folder that --run-dir made")
    parser.add_argument("--latency-from", choices=("scheduled", "sent"), help="what latency_* and the SLO count from")
    parser.add_argument("--slo-ms", type=_positive, metavar="MS", help="hold every request against this target")
    parser.add_argument(
        "--percentiles", type=_percentiles, default={}, metavar="P,P", help="further ones, such as 50,99.5"
    )
    parser.add_argument("--confidence", type=_confidence, metavar="P", help="of every interval, such as 0.99")
    parser.add_argument(
        "--html",
        nargs="?",
        const="",
        metavar="PATH",
        help="write a page with plots; without PATH, DIR/report.html",
    )
    parser.add_argument("--export", choices=export.FORMATS, help="write a row a request")
    parser.add_argument("--export-file", type=Path, metavar="PATH", help="where to; default: DIR/requests.FORMAT")
    parser.add_argument("--output-file", metavar="PATH", help="write the result as JSON; - is standard output")


def _positive(text: str) -> float:
    value = _number(text)
    if not 0 < value < _LARGEST_MS:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0, and below {_LARGEST_MS:g}")
    return value


def _confidence(text: str) -> float:
    value = _number(text)
    if not 0.5 <= value <= 0.9999:
        raise argparse.ArgumentTypeError(f"{text} is not a share between 0.5 and 0.9999")
    return value


def _percentiles(text: str) -> dict[str, float]:
    """Shares by the text of their percentile: 99.9 is 0.999, which in floats 99.9 / 100 is not."""
    try:
        shares = {part.strip(): float(Decimal(part.strip()) / 100) for part in text.split(",")}
    except (InvalidOperation, OverflowError):
        shares = {text: math.nan}
    if not all(0 < share <= 1 for share in shares.values()):
        raise argparse.ArgumentTypeError(f"{text} is not a list of percentiles, such as 50,99.5")
    return shares


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
