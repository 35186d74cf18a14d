"""File descriptors: the limit of a process (RLIMIT_NOFILE), and how many a run needs."""

import resource
from contextlib import suppress
from typing import Final

from loadgen.errors import UsageError

SPARE: Final = 64  # descriptors of a process besides connections


def raise_limit() -> None:
    """Raise the soft limit of this process to its hard limit; children inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def check(connections: int, senders: int) -> None:
    """Raise UsageError if a process could exceed its limit; `connections` is the number per sender.

    A sender holds the wakeup descriptors of all; the parent a control channel, stderr file and pipe for each sender.
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
            f"--senders {senders}: need {of_parent} open files and the limit is {soft};"
            f" raise it (ulimit -n {of_parent}), or lower --senders"
        )
