"""The words that this process was started with, as `ps` shows them to everybody on the machine.

On Linux they can be written over: they lie in this process's own memory, and the kernel reads them from there.
Elsewhere, and in the instant before this is done, only $OPENAI_API_KEY and --api-key-file keep a key to ourselves.
"""

import ctypes
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_SECRET_FLAGS: Final = frozenset({b"--api-key", b"--header", b"--server-metrics"})  # a page's query may hold a key
_USERINFO: Final = re.compile(rb"(?<=://)\S*(?=@)")
_ARG_START: Final = 45  # field 48 of /proc/PID/stat, counted from the one behind the name (proc(5))


def hide_secrets() -> None:
    """Put stars in place of keys, header values and the credentials of URLs, where the system lets us."""
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


def starred(words: Sequence[bytes]) -> list[bytes]:
    """Return the words with each secret in them as equally many stars."""
    shown: list[bytes] = []
    secret = False
    for word in words:
        flag, mark, value = word.partition(b"=")
        if secret:
            shown.append(b"*" * len(word))
        elif mark and flag in _SECRET_FLAGS:
            shown.append(flag + mark + b"*" * len(value))
        else:
            shown.append(_USERINFO.sub(lambda found: b"*" * len(found[0]), word))
        secret = not secret and word in _SECRET_FLAGS
    return shown
