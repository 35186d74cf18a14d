"""An argument parser that reports an error in one line, and names the flag that a misspelt one probably means."""

import argparse
import difflib
import sys
from collections.abc import Iterator, Sequence
from typing import NoReturn, TypeVar

from collector.text.printable import printable

USAGE = 2
N = TypeVar("N")


class Parser(argparse.ArgumentParser):
    """An ArgumentParser with one-line errors (the usage of forty flags would hide them) and no abbreviated flags."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})  # type: ignore[arg-type]

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: N | None = None) -> tuple[N, list[str]]:  # type: ignore[override]
        """Refuse unknown arguments here, where the flags of the subcommand are known."""
        given = sys.argv[1:] if args is None else list(args)
        for argument in self._own(given):
            self._check(argument)
        parsed, unknown = super().parse_known_args(given, namespace)
        if unknown:
            self.error(_stray(given, unknown[0]))
        return parsed, unknown  # type: ignore[return-value]

    def _own(self, given: Sequence[str]) -> Iterator[str]:
        """The arguments that are flags of this parser: up to `--`, and to the subcommand if there is one."""
        for argument in given:
            if argument == "--" or (self._subparsers is not None and not argument.startswith("-")):
                return
            if argument.startswith("-") and " " not in argument and not argument[1:2].isdigit():  # -5 is a value
                yield argument

    def _check(self, argument: str) -> None:
        """Name an unknown flag and the nearest that exists, but no value, which may be a secret.

        Also refuse `--flag=--`, which argparse before Python 3.12 parses as a flag with an empty list.
        """
        flag = argument.partition("=")[0]
        if argument.endswith("=--"):
            self.error(f"argument {flag}: -- is not a value")
        if flag not in self._option_string_actions and flag.strip("-"):
            names = {name.strip("-"): name for name in self._option_string_actions}
            near = difflib.get_close_matches(flag.strip("-"), names, n=1, cutoff=0.7)
            self.error(f"there is no flag {flag}" + (f"; did you mean {names[near[0]]}?" if near else ""))

    def error(self, message: str) -> NoReturn:
        """Print the error in one line and exit with 2."""
        self.exit(USAGE, f"{self.prog}: error: {printable(message)} (see {self.prog} --help)\n")


def _stray(given: Sequence[str], argument: str) -> str:
    """Say where an argument stands that belongs to no flag; its text may be the rest of a secret."""
    before = [each.partition("=")[0] for each in given[: given.index(argument)] if each.startswith("-")]
    if not before:
        return f"unrecognized arguments: {argument}"
    return f"an argument belongs to no flag (after {before[-1]}); quote a value that has spaces"
