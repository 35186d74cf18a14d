"""The arguments of this process as `ps` shows them to every user of the machine.

On Linux they can be overwritten: they lie in this process's own memory, and the kernel reads them from there.
Elsewhere, and in the instant before it is done, only $OPENAI_API_KEY and --api-key-file keep a key secret.
"""

import ctypes
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_SECRET_FLAGS: Final = frozenset({b"--api-key", b"--header", b"--server-metrics"})  # the query of a URL may hold a key
_USERINFO: Final = re.compile(rb"(?<=://)\S*(?=@)")
_ARG_START: Final = 45  # field 48 of /proc/PID/stat, counted from the one after the name (proc(5))


def hide_secrets() -> None:
    """Overwrite keys, header values and credentials in URLs with stars, if the system allows it."""
    if sys.platform != "linux":
        return
    try:
        before = Path("/proc/self/cmdline").read_bytes()
        start = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[_ARG_START])
    except (OSError, ValueError, IndexError):
        return
    after = b"\0".join(starred(before.split(b"\0")))
    if start and after != before and ctypes.string_at(start, len(before)) == before:
        ctypes.memmove(start, after, len(after))


def starred(arguments: Sequence[bytes]) -> list[bytes]:
    """Return the arguments with each secret in them replaced by as many stars."""
    shown: list[bytes] = []
    secret = False
    for argument in arguments:
        flag, equals, value = argument.partition(b"=")
        if secret:
            shown.append(b"*" * len(argument))
        elif equals and flag in _SECRET_FLAGS:
            shown.append(flag + equals + b"*" * len(value))
        else:
            shown.append(_USERINFO.sub(lambda match: b"*" * len(match[0]), argument))
        secret = not secret and argument in _SECRET_FLAGS
    return shown
