"""The output file: found unwritable before the run, not after it, and replaced whole or not at all."""

import os
import sys
from pathlib import Path

from loadgen.errors import UsageError

STDOUT = "-"


def check_writable(path: str | None) -> None:
    """Raise UsageError where `--output-file` could not be written later."""
    if path is None or path == STDOUT:
        return
    place = Path(path)
    if place.is_dir():
        raise UsageError(f"--output-file {path}: is a folder; name a file in it")
    if not place.parent.is_dir():
        raise UsageError(f"--output-file {path}: there is no folder {place.parent}; make it first")
    if not os.access(place if place.exists() else place.parent, os.W_OK):
        raise UsageError(f"--output-file {path}: may not be written; choose another place or change its permissions")


def check_save_dir(path: str | None) -> None:
    """Make the folder of `--save-dir`; raise UsageError where nothing can be saved there."""
    if path is None:
        return
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--save-dir {path}: {error.strerror}; name a folder that can be made") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise UsageError(f"--save-dir {path}: may not be written; choose another place or change its permissions")


def write(path: str | None, content: bytes) -> None:
    """Write the result where `--output-file` says; a reader never sees half of it."""
    if path is None:
        return
    if path == STDOUT:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    place = Path(path)
    if place.exists() and not place.is_file():  # a device or a pipe cannot be replaced
        place.write_bytes(content)
        return
    draft = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        draft.write_bytes(content)
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)
