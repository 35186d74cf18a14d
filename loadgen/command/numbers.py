"""Numbers on the command line: each function is an argparse type that says what it wanted."""

import argparse
import math


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
    """A finite number above 0."""
    return _number(text, "a number above 0", 0 < _parsed(text) < math.inf)


def not_negative(text: str) -> float:
    """A finite number, 0 or more."""
    return _number(text, "a number, 0 or more", 0 <= _parsed(text) < math.inf)


def rate(text: str) -> float:
    """A rate above 0; inf is one."""
    return _number(text, "a rate above 0, or inf", _parsed(text) > 0)


def share(text: str) -> float:
    """A share, 0 to 1."""
    return _number(text, "a share, 0 to 1", 0 <= _parsed(text) <= 1)


def _integer(text: str, least: int, rule: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        raise argparse.ArgumentTypeError(f"{text} is not {rule}")
    return number


def count(text: str) -> int:
    """A whole number, 1 or more."""
    return _integer(text, 1, "a whole number, 1 or more")


def whole(text: str) -> int:
    """A whole number, 0 or more."""
    return _integer(text, 0, "a whole number, 0 or more")
