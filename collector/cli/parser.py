"""The words of a command line, read so that one line says what is wrong with them."""

import argparse
from collections.abc import Sequence
from typing import NoReturn, TypeVar

from collector.text.printable import printable

USAGE = 2
N = TypeVar("N")


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, which the usage of forty flags would bury, and takes no flag for another."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})  # type: ignore[arg-type]

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: N | None = None) -> tuple[N, list[str]]:  # type: ignore[override]
        """Refuse `--flag=--`, of which argparse (until Python 3.12) makes a flag without a value: an empty list."""
        for word in args or ():
            if word.startswith("-") and word.endswith("=--"):
                self.error(f"argument {word[:-3]}: -- is no value")
        return super().parse_known_args(args, namespace)  # type: ignore[return-value]

    def error(self, message: str) -> NoReturn:
        """Say it in one line, and exit with 2."""
        self.exit(USAGE, f"{self.prog}: error: {printable(message)} (see {self.prog} --help)\n")
