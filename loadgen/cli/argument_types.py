"""Numbers on the command line: each function is an argparse type that says what it wanted."""

import argparse
import math
from typing import Final

_LARGEST: Final = 1e9  # of anything that is counted, or lasts: 31 years of seconds
_MOST: Final = 1_000_000_000


def _number(text: str, rule: str, holds: bool) -> float:
    if not holds:
        raise argparse.ArgumentTypeError(f"{text} is not {rule}")
    return float(text)


def _parsed(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def positive(text: str) -> float:
    """A number above 0, a billion at most."""
    return _number(text, "a number above 0 (a billion at most)", 0 < _parsed(text) <= _LARGEST)


def not_negative(text: str) -> float:
    """A number, 0 or more, a billion at most."""
    return _number(text, "a number, 0 or more (a billion at most)", 0 <= _parsed(text) <= _LARGEST)


def rate(text: str) -> float:
    """A rate above 0; inf is one."""
    return _number(text, "a rate above 0, or inf", _parsed(text) > 0)


def share(text: str) -> float:
    """A share, 0 to 1."""
    return _number(text, "a share, 0 to 1", 0 <= _parsed(text) <= 1)


def inner_share(text: str) -> float:
    """A share above 0 and below 1, such as a confidence."""
    return _number(text, "a share between 0.5 and 0.9999", 0.5 <= _parsed(text) <= 0.9999)


def _integer(text: str, least: int, rule: str, most: int = _MOST) -> int:
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"{text} is not {rule}")
    return number


def count(text: str) -> int:
    """A whole number, 1 to a billion."""
    return _integer(text, 1, "a whole number, 1 to a billion")


def whole(text: str) -> int:
    """A whole number, 0 to a billion."""
    return _integer(text, 0, "a whole number, 0 to a billion")


def size(text: str) -> int:
    """A number of bytes, 1 or more, as far as memory can go."""
    return _integer(text, 1, "a number of bytes, 1 to 2**62", 1 << 62)


def seed(text: str) -> int:
    """A whole number that fits 64 bits."""
    return _integer(text, -(1 << 63), "a whole number of 64 bits", (1 << 63) - 1)
