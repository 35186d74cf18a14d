"""Text from elsewhere, such as a server's message, made safe for a terminal: no escape sequence gets through."""

import io
import sys


def printable(text: str) -> str:
    """Return one line in which every unprintable character is a space."""
    return "".join(c if c.isprintable() else " " for c in text)


def forgive_streams() -> None:
    """Let standard output and error write "?" for characters that their encoding lacks, instead of raising an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
