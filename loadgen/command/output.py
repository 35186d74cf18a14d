"""The output file: found unwritable before the run, not after it, and replaced whole or not at all."""

import errno
import os
import sys
import tempfile
from pathlib import Path

from loadgen.errors import OutputError, UsageError

STDOUT = "-"


def check_writable(path: str | None) -> None:
    """Raise UsageError where `--output-file` could not be written later: by opening it, which is the only real test."""
    if path is None or path == STDOUT:
        return
    place = _place(path)
    if place.is_dir():
        raise UsageError(f"--output-file {path}: is a folder; name a file in it")
    if not place.parent.is_dir():
        raise UsageError(f"--output-file {path}: there is no folder {place.parent}; make it first")
    fresh = not place.exists()
    try:
        with place.open("ab"):
            pass
        if fresh:
            place.unlink()
    except OSError as error:
        raise UsageError(
            f"--output-file {path}: {error.strerror}; choose another place or change its permissions"
        ) from None


def _place(path: str) -> Path:
    """Where the file really is: a link stays a link."""
    if not path:
        raise UsageError("--output-file: is empty; name a file, or - for standard output")
    return Path(path).resolve()


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
    """Write the result where `--output-file` says; a reader never sees half of it where the folder allows that.

    Raises OutputError, which has the result's last resort in it, where it cannot be written.
    """
    if path is None:
        return
    try:
        if path == STDOUT:
            _write_all(content)
        else:
            _replace(_place(path), content)
    except OSError as error:
        raise OutputError(path, error, _rescue(content)) from None


def _write_all(content: bytes) -> None:
    if sys.stdout is None:
        raise OSError(errno.EBADF, "standard output is closed")
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def _replace(place: Path, content: bytes) -> None:
    if place.exists() and (not place.is_file() or not os.access(place.parent, os.W_OK)):
        place.write_bytes(content)  # a device, a pipe or a mounted file cannot be replaced
        return
    draft = place.with_name(f".loadgen-{os.getpid()}")
    try:
        draft.write_bytes(content)
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)


def _rescue(content: bytes) -> str | None:
    """Put a result that has no other place into the folder for temporary files; return where, if that works."""
    try:
        with tempfile.NamedTemporaryFile(prefix="loadgen-result-", suffix=".json", delete=False) as file:
            file.write(content)
    except OSError:
        return None
    return file.name
