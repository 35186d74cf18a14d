"""Output files: checked before the run, and replaced atomically after it."""

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
    """Raise UsageError if the file of a flag cannot be written, or if both are standard output."""
    if result == page == STDOUT:
        raise UsageError(f"{RESULT} and {PAGE} both ask for standard output; name a file for one of them")
    check_writable(result)
    check_writable(page, PAGE)


def check_writable(path: str | None, flag: str = RESULT) -> None:
    """Raise UsageError if the file of a flag cannot be written. Opening it is the only reliable test."""
    if path is None or path == STDOUT:
        return
    try:
        file = _resolved(path, flag)
        if file.is_dir():
            raise UsageError(f"{flag} {path}: is a folder; name a file")
        if not file.parent.is_dir():
            raise UsageError(f"{flag} {path}: there is no folder {file.parent}; make it first")
        is_new = not file.exists()
        with file.open("ab"):
            pass
        if is_new:
            file.unlink()
    except OSError as error:
        raise UsageError(f"{flag} {path}: {error.strerror}; name another file or change its permissions") from None


def _resolved(path: str, flag: str) -> Path:
    """The path without symbolic links, so that writing replaces the file and not a link to it."""
    if not path:
        raise UsageError(f"{flag}: the path is empty; name a file, or - for standard output")
    return Path(path).resolve()


def check_save_dir(path: str | None) -> None:
    """Make the folder of `--save-dir`; raise UsageError if it cannot be made or written to."""
    if path is None:
        return
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--save-dir {path}: {error.strerror}; name a folder that can be made") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise UsageError(f"--save-dir {path}: is not writable; name another folder or change its permissions")


def write(path: str | None, content: bytes, flag: str = RESULT) -> None:
    """Write the file of a flag, atomically if its folder allows that.

    If that fails, the content goes to a temporary file, which the OutputError names.
    """
    if path is None:
        return
    try:
        if path == STDOUT:
            _write_all(content)
        else:
            _replace(_resolved(path, flag), content)
    except OSError as error:
        raise OutputError(f"{flag} {path}", error, _rescue(content, ".html" if flag == PAGE else ".json")) from None


def show(render: Callable[[], None], content: bytes) -> None:
    """Print the report; if standard output is full, `content` goes to a temporary file, which the OutputError names."""
    try:
        render()
    except BrokenPipeError:  # the reader closed the pipe
        raise
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter tries again at exit
        raise OutputError("standard output", error, _rescue(content, ".json")) from None


def _write_all(content: bytes) -> None:
    if sys.stdout is None:
        raise OSError(errno.EBADF, "standard output is closed")
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def _replace(target: Path, content: bytes) -> None:
    if target.exists() and (not target.is_file() or not os.access(target.parent, os.W_OK)):
        target.write_bytes(content)  # a device, a pipe or a mounted file cannot be replaced
        return
    draft = target.with_name(f".loadgen-{os.getpid()}-{secrets.token_hex(4)}")  # a name that nobody can guess
    try:
        with draft.open("xb") as file:
            file.write(content)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _rescue(content: bytes, suffix: str) -> str | None:
    """Write content to a temporary file instead; return its path, or None if that fails too."""
    try:
        with tempfile.NamedTemporaryFile(prefix="loadgen-result-", suffix=suffix, delete=False) as file:
            file.write(content)
    except OSError:
        return None
    return file.name
