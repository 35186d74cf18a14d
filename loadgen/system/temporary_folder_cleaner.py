"""The janitor process: makes a temporary folder, and removes it when whoever started it is done with it or dead.

    python janitor.py PREFIX [PLACE] < PIPE

It says where the folder is; the end of its input is the end of its parent, however that came. It uses nothing of ours,
so that it is there at once and takes little memory.
"""

import os
import shutil
import sys
import tempfile
import time

PATIENCE_S = 10.0  # the parent's other children end a little later than it does, and may still write there
PAUSE_S = 0.1


def main(prefix: str, place: str | None = None) -> None:
    """Live as long as standard input is open; an OSError ends it with its reason as the last line of errors."""
    try:
        folder = tempfile.mkdtemp(prefix=prefix, dir=place)
    except OSError as error:
        sys.exit(error.strerror)
    try:
        os.write(1, os.fsencode(folder))
        os.read(0, 1)
    finally:
        remove(folder)


def remove(folder: str) -> None:
    """Remove the folder, again and again while somebody writes in it, for a while."""
    deadline = time.monotonic() + PATIENCE_S
    shutil.rmtree(folder, ignore_errors=True)
    while os.path.lexists(folder) and time.monotonic() < deadline:
        time.sleep(PAUSE_S)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
