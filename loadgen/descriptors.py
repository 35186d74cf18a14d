"""Open descriptors: how many a process may have, and how many a run needs."""

import resource
from contextlib import suppress
from typing import Final

from loadgen.errors import UsageError

SPARE: Final = 64  # of a sender, for everything that is no connection


def raise_limit() -> None:
    """Raise this process's limit as far as it may go; its children inherit that."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def check(connections: int) -> None:
    """Raise UsageError where one sender could need more descriptors than it may have; `connections` is its share."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and connections + SPARE > soft:
        raise UsageError(
            f"--max-concurrency: a sender may need {connections + SPARE} open files and the limit is {soft};"
            f" raise it (ulimit -n {connections + SPARE}), use more --senders, or lower --max-concurrency"
        )
