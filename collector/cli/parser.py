"""An argument parser that reports an error in one line."""

import argparse
from collections.abc import Sequence
from typing import NoReturn, TypeVar

from collector.text.printable import printable

USAGE = 2
N = TypeVar("N")


class Parser(argparse.ArgumentParser):
    """An ArgumentParser with one-line errors (the usage of forty flags would hide them) and no abbreviated flags."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})  # type: ignore[arg-type]

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: N | None = None) -> tuple[N, list[str]]:  # type: ignore[override]
        """Refuse `--flag=--`, which argparse before Python 3.12 parses as a flag with an empty list."""
        for arg in args or ():
            if arg.startswith("-") and arg.endswith("=--"):
                self.error(f"argument {arg[:-3]}: -- is not a value")
        return super().parse_known_args(args, namespace)  # type: ignore[return-value]

    def error(self, message: str) -> NoReturn:
        """Print the error in one line and exit with 2."""
        self.exit(USAGE, f"{self.prog}: error: {printable(message)} (see {self.prog} --help)\n")
