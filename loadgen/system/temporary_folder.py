"""Temporary folders that are removed even after `kill -9`: a separate cleaner process removes each."""

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
def temporary_folder(prefix: str, parent: str | Path | None = None) -> Iterator[Path]:
    """Make a 0700 folder in `parent` (None: the default of `tempfile`), and remove it at the end in any case.

    Raises UsageError if the folder, ProcessError if its cleaner process cannot be created.
    """
    arguments = [
        sys.executable,
        "-I",
        "-S",
        temporary_folder_cleaner.__file__,
        prefix,
        *([] if parent is None else [str(parent)]),
    ]
    with _start_cleaner(arguments) as process:
        assert process.stdout is not None
        folder = os.fsdecode(os.read(process.stdout.fileno(), 1 << 16))
        if not folder:
            raise UsageError(f"{parent or 'TMPDIR'}: cannot make a temporary folder there ({_failure_reason(process)})")
        try:
            yield Path(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # the cleaner removes what is left


def _start_cleaner(arguments: list[str]) -> "subprocess.Popen[bytes]":
    pipe = subprocess.PIPE
    try:  # its own process group, so that Ctrl-C at the terminal does not reach it
        return subprocess.Popen(arguments, stdin=pipe, stdout=pipe, stderr=pipe, process_group=0)
    except OSError as error:
        raise ProcessError(f"cannot start the process for a temporary folder: {error}; check ulimit -a") from None


def _failure_reason(process: "subprocess.Popen[bytes]") -> str:
    _, errors = process.communicate()
    return errors.decode(errors="replace").strip().rpartition("\n")[2] or f"exit code {process.returncode}"
