"""Where the command `loadgen` enters, which `python -m loadgen` is too, and what Ctrl-C does until it has loaded."""

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Final, NoReturn

from loadgen.cli import argv

_INTERRUPTED: Final = 130  # as in loadgen/cli/exit_codes.py, which is not loaded yet


def entry(words: Sequence[str] | None = None, **defaults: object) -> NoReturn:
    """Run the command with these words, or those of the process, and exit with its code; `defaults` are of flags."""
    patient = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # else Ctrl-C is somebody else's matter
    if patient:
        signal.signal(signal.SIGINT, _leave)
    argv.hide_secrets()  # at once: loading takes a while, and anybody may look
    from loadgen.cli.main import main

    if patient:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main(sys.argv[1:] if words is None else words, defaults=defaults))


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    """Nothing was started yet, so there is nothing to put away, and no half-done import to tell of."""
    os.write(2, b"loadgen: interrupted\n")
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    entry()
