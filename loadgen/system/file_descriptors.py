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


def check(connections: int, senders: int) -> None:
    """Raise UsageError where a process could need more descriptors than it may have; `connections` is a sender's share.

    A sender can ring all others; the parent holds a control line, a file for errors and a pipe for each of them.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    of_sender, of_parent = connections + senders + SPARE, 4 * senders + SPARE
    if soft == resource.RLIM_INFINITY:
        return
    if of_sender > soft:
        raise UsageError(
            f"--max-concurrency: a sender may need {of_sender} open files and the limit is {soft};"
            f" raise it (ulimit -n {of_sender}), use more --senders, or lower --max-concurrency"
        )
    if of_parent > soft:
        raise UsageError(
            f"--senders {senders}: take {of_parent} open files and the limit is {soft};"
            f" raise it (ulimit -n {of_parent}), or lower --senders"
        )
