"""The cleaner process: makes a temporary folder, and removes it when its parent has finished or died.

    python temporary_folder_cleaner.py PREFIX [PARENT_FOLDER] < PIPE

It prints the path of the folder; end of file on standard input means that the parent has ended. It imports only the
standard library, so that it starts fast and needs little memory.
"""

import os
import shutil
import sys
import tempfile
import time

REMOVE_S = 10.0  # the parent's other children end a little later and may still write there
PAUSE_S = 0.1


def main(prefix: str, parent: str | None = None) -> None:
    """Run until end of file on standard input; an OSError becomes the last line on standard error."""
    try:
        folder = tempfile.mkdtemp(prefix=prefix, dir=parent)
    except OSError as error:
        sys.exit(error.strerror)
    try:
        os.write(1, os.fsencode(folder))
        os.read(0, 1)
    finally:
        remove(folder)


def remove(folder: str) -> None:
    """Remove the folder; retry for REMOVE_S while other processes still write there."""
    deadline = time.monotonic() + REMOVE_S
    shutil.rmtree(folder, ignore_errors=True)
    while os.path.lexists(folder) and time.monotonic() < deadline:
        time.sleep(PAUSE_S)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
