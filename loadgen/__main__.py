"""Entry point of `loadgen` and `python -m loadgen`, and its Ctrl-C handler until the modules are loaded."""

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Final, NoReturn

from loadgen.cli import argv

_INTERRUPTED: Final = 130  # as in loadgen/cli/exit_codes.py, which is not loaded yet


def entry(arguments: Sequence[str] | None = None, **defaults: object) -> NoReturn:
    """Run the command with `arguments` (None: those of the process) and exit; `defaults` replace those of flags."""
    default_handler = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # a caller's own handler stays
    if default_handler:
        signal.signal(signal.SIGINT, _exit)
    argv.hide_secrets()  # first of all: loading takes a while, and `ps` shows them to everybody
    from loadgen.cli.main import main

    if default_handler:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main(sys.argv[1:] if arguments is None else arguments, defaults=defaults))


def _exit(_number: int, _frame: FrameType | None) -> NoReturn:
    """Exit at once, without a traceback of an import: nothing was started yet, so there is nothing to clean up."""
    os.write(2, b"loadgen: interrupted\n")
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    entry()
