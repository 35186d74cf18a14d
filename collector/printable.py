"""Text from elsewhere, such as a server's message, made fit for a terminal: no escape sequence comes through."""


def printable(text: str) -> str:
    """Return one line in which everything that is no printable character is a space."""
    return "".join(c if c.isprintable() else " " for c in text)
