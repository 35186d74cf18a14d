"""Scratch folders: temporary ones that go with us, even by `kill -9`, since a process of its own removes each."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loadgen.errors import ProcessError, UsageError
from loadgen.system import temporary_folder_cleaner


@contextmanager
def temporary_folder(prefix: str, place: str | Path | None = None) -> Iterator[Path]:
    """Make a 0700 folder in `place` (None: where temporary files are) and remove it in the end, whatever that is.

    Raises UsageError where none can be made, ProcessError where there can be no process for it.
    """
    words = [
        sys.executable,
        "-I",
        "-S",
        temporary_folder_cleaner.__file__,
        prefix,
        *([] if place is None else [str(place)]),
    ]
    with _started(words) as process:
        assert process.stdout is not None
        folder = os.fsdecode(os.read(process.stdout.fileno(), 1 << 16))
        if not folder:
            raise UsageError(f"{place or 'TMPDIR'}: no temporary folder can be made there ({_why(process)})")
        try:
            yield Path(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # the janitor sees to what is left, unless it was killed


def _started(words: list[str]) -> "subprocess.Popen[bytes]":
    pipe = subprocess.PIPE
    try:  # in a group of its own: a Ctrl-C at the terminal is for us
        return subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, process_group=0)
    except OSError as error:
        raise ProcessError(f"no process for a temporary folder can be started: {error}; see to ulimit -a") from None


def _why(process: "subprocess.Popen[bytes]") -> str:
    _, said = process.communicate()
    return said.decode(errors="replace").strip().rpartition("\n")[2] or f"exit code {process.returncode}"
