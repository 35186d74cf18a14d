"""Errors that end a command, in one tree; failures of requests are data, not exceptions.

LoadgenError              exit code
├── UsageError            2  bad flag or input; nothing was sent
│   ├── InputError        2  a line of a file (path:line) that cannot be used
│   ├── DownloadError     2  a dataset that cannot be downloaded
│   └── UnreachableError  2  the server did not answer the health check
├── WarmupError           4  no warm-up succeeded, or none of the requests that rates need
├── ProcessError          1  a process of this tool died or hung
└── OutputError           1  the result could not be written after the run

Every message is one line that names the flag or file and the fix.
"""

from pathlib import Path


class LoadgenError(Exception):
    """Base of the tree; `exit_code` is what the command returns."""

    exit_code = 1


class UsageError(LoadgenError):
    """A flag or an input that cannot be used."""

    exit_code = 2


class InputError(UsageError):
    """A line of an input file, or all of it, that cannot be used."""

    def __init__(self, path: Path | str, line: int | None, problem: str) -> None:
        super().__init__(f"{path}:{line}: {problem}" if line is not None else f"{path}: {problem}")


class DownloadError(UsageError):
    """A dataset that cannot be downloaded; the message says where to put the file by hand."""

    def __init__(self, what: str, cause: object, path: Path) -> None:
        super().__init__(
            f"cannot download {what} ({cause}); put the file at {path} by hand, or name it by --dataset-path"
        )


class UnreachableError(UsageError):
    """The server did not answer the health check."""


class WarmupError(LoadgenError):
    """No warm-up succeeded, or no request that SLO targets or rates are to be based on."""

    exit_code = 4


class ProcessError(LoadgenError):
    """A process of this tool died or hung."""


class OutputError(LoadgenError):
    """A result that could not be written after the run; the message names the temporary file that has it instead."""

    def __init__(self, target: str, error: OSError, rescued: str | None) -> None:
        instead = f"it was saved to {rescued} instead" if rescued else "it could not be saved anywhere else either"
        super().__init__(f"{target}: {error.strerror or error}; {instead}")
