"""Types of arguments on the command line: each function parses one argument, or says what it must be."""

import argparse
import math
from typing import Final

from loadgen.options import TASK_SPELLINGS, TASKS

_MAX: Final = 1_000_000_000  # of anything that is counted, or lasts: 31 years of seconds


def _number(text: str, rule: str, valid: bool) -> float:
    if not valid:
        raise argparse.ArgumentTypeError(f"{text} is not {rule}")
    return float(text)


def _parsed(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def positive(text: str) -> float:
    """A number above 0, up to a billion."""
    return _number(text, "a number above 0 (up to a billion)", 0 < _parsed(text) <= _MAX)


def not_negative(text: str) -> float:
    """A number from 0 to a billion."""
    return _number(text, "a number from 0 to a billion", 0 <= _parsed(text) <= _MAX)


def rate(text: str) -> float:
    """A rate above 0, or inf."""
    return _number(text, "a rate above 0, or inf", _parsed(text) > 0)


def share(text: str) -> float:
    """A share from 0 to 1."""
    return _number(text, "a share from 0 to 1", 0 <= _parsed(text) <= 1)


def error_rate(text: str) -> float:
    """A share of the requests: 0.05, or 5%."""
    number, percent, rest = text.strip().partition("%")
    try:
        value = float(number) / (100 if percent else 1)
    except ValueError:
        value = math.nan
    if rest or not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no share of the requests; give 0 to 1 or per cent, as 0.05 or 5%")
    return value


def inner_share(text: str) -> float:
    """A share from 0.5 to 0.9999, such as a confidence."""
    return _number(text, "a share from 0.5 to 0.9999", 0.5 <= _parsed(text) <= 0.9999)


def _integer(text: str, least: int, rule: str, most: int = _MAX) -> int:
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"{text} is not {rule}")
    return number


def count(text: str) -> int:
    """A whole number from 1 to a billion."""
    return _integer(text, 1, "a whole number from 1 to a billion")


def whole(text: str) -> int:
    """A whole number from 0 to a billion."""
    return _integer(text, 0, "a whole number from 0 to a billion")


def size(text: str) -> int:
    """A number of bytes, 1 or more."""
    return _integer(text, 1, "a number of bytes from 1 to 2**62", 1 << 62)


def seed(text: str) -> int:
    """A whole number that fits 64 bits."""
    return _integer(text, -(1 << 63), "a whole number that fits 64 bits", (1 << 64) - 1)


def frame_rate(text: str) -> float:
    """A number above 0; a whole one is an int, so that it is sent without a decimal point."""
    number = positive(text)
    return int(number) if number.is_integer() else number


def task(text: str) -> str:
    """A task, in any of its spellings."""
    found = TASK_SPELLINGS.get(text.lower().replace("_", "-"))
    if found is None:
        raise argparse.ArgumentTypeError(f"{text} is no task; choose one of {', '.join(TASKS)}")
    return found
