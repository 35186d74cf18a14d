"""Files that a run ends with: found unwritable before it, not after it, and replaced whole or not at all."""

import errno
import os
import secrets
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from loadgen.errors import OutputError, UsageError

STDOUT = "-"
RESULT = "--output-file"
PAGE = "--html"


def check_files(result: str | None, page: str | None) -> None:
    """Raise UsageError where one of them could not be written later, or both are standard output."""
    if result == page == STDOUT:
        raise UsageError(f"{RESULT} and {PAGE} both ask for standard output; name a file for one of them")
    check_writable(result)
    check_writable(page, PAGE)


def check_writable(path: str | None, flag: str = RESULT) -> None:
    """Raise UsageError where the flag's file could not be written later: by opening it, which is the only real test."""
    if path is None or path == STDOUT:
        return
    try:
        place = _place(path, flag)
        if place.is_dir():
            raise UsageError(f"{flag} {path}: is a folder; name a file in it")
        if not place.parent.is_dir():
            raise UsageError(f"{flag} {path}: there is no folder {place.parent}; make it first")
        fresh = not place.exists()
        with place.open("ab"):
            pass
        if fresh:
            place.unlink()
    except OSError as error:
        raise UsageError(f"{flag} {path}: {error.strerror}; choose another place or change its permissions") from None


def _place(path: str, flag: str) -> Path:
    """Where the file really is: a link stays a link."""
    if not path:
        raise UsageError(f"{flag}: is empty; name a file, or - for standard output")
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


def write(path: str | None, content: bytes, flag: str = RESULT) -> None:
    """Write what a flag asks for where it says; a reader never sees half of it where the folder allows that.

    Raises OutputError, which has the content's last resort in it, where it cannot be written.
    """
    if path is None:
        return
    try:
        if path == STDOUT:
            _write_all(content)
        else:
            _replace(_place(path, flag), content)
    except OSError as error:
        raise OutputError(f"{flag} {path}", error, _rescue(content, ".html" if flag == PAGE else ".json")) from None


def show(render: Callable[[], None], content: bytes) -> None:
    """Have the report printed; OutputError where standard output is full, with the last resort of `content` in it."""
    try:
        render()
    except BrokenPipeError:  # whoever read it has had enough
        raise
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter tries again as it exits
        raise OutputError("standard output", error, _rescue(content, ".json")) from None


def _write_all(content: bytes) -> None:
    if sys.stdout is None:
        raise OSError(errno.EBADF, "standard output is closed")
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def _replace(place: Path, content: bytes) -> None:
    if place.exists() and (not place.is_file() or not os.access(place.parent, os.W_OK)):
        place.write_bytes(content)  # a device, a pipe or a mounted file cannot be replaced
        return
    draft = place.with_name(f".loadgen-{os.getpid()}-{secrets.token_hex(4)}")  # which nobody can have put there
    try:
        with draft.open("xb") as file:
            file.write(content)
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)


def _rescue(content: bytes, suffix: str) -> str | None:
    """Put content that has no other place into the folder for temporary files; return where, if that works."""
    try:
        with tempfile.NamedTemporaryFile(prefix="loadgen-result-", suffix=suffix, delete=False) as file:
            file.write(content)
    except OSError:
        return None
    return file.name
