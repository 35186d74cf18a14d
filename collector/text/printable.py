"""Text from elsewhere, such as a server's message, made fit for a terminal: no escape sequence comes through."""

import io
import sys


def printable(text: str) -> str:
    """Return one line in which everything that is no printable character is a space."""
    return "".join(c if c.isprintable() else " " for c in text)


def forgive_streams() -> None:
    """Let standard output and error put a ? where their encoding has no such character, rather than end the program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
