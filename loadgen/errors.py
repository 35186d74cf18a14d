"""Faults that end a command, in one tree; outcomes of requests are data and never come here.

LoadgenError              exit code
├── UsageError            2  bad flag, bad input, nothing was started
│   ├── InputError        2  a place in a file (path:line) that does not parse
│   ├── DownloadError     2  a data set that cannot be fetched
│   └── UnreachableError  2  no server answered before the start
├── WarmupError           4  the SLO needs a warm-up and none succeeded
├── ProcessError          1  one of our own processes died or went silent
└── OutputError           1  the result could not be written after the run

Every message is one line that names the place and the fix.
"""

from pathlib import Path


class LoadgenError(Exception):
    """Base of the tree; `exit_code` is what the command returns."""

    exit_code = 1


class UsageError(LoadgenError):
    """A flag or an input that cannot work."""

    exit_code = 2


class InputError(UsageError):
    """A place in an input file that cannot be used."""

    def __init__(self, path: Path | str, line: int | None, problem: str) -> None:
        super().__init__(f"{path}:{line}: {problem}" if line is not None else f"{path}: {problem}")


class DownloadError(UsageError):
    """A data set that could not be fetched: what failed and where to put the file by hand."""

    def __init__(self, what: str, cause: object, place: Path) -> None:
        super().__init__(
            f"cannot download {what} ({cause}); put the file at {place} by hand, or name it by --dataset-path"
        )


class UnreachableError(UsageError):
    """No server answered before the start."""


class WarmupError(LoadgenError):
    """The SLO is to be taken from warm-ups and none succeeded."""

    exit_code = 4


class ProcessError(LoadgenError):
    """One of our own processes died or stayed silent."""


class OutputError(LoadgenError):
    """A result that could not be written where it should be, though it could before the run."""

    def __init__(self, place: str, error: OSError, rescued: str | None) -> None:
        kept = f"it is kept in {rescued}" if rescued else "and nowhere else either"
        super().__init__(f"{place}: {error.strerror or error}; {kept}")
