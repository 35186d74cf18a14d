"""Files that operating systems leave in folders and archives, and that nobody means to send."""

from pathlib import PurePath


def is_hidden(path: PurePath) -> bool:
    """Whether a relative path is hidden, such as `._cat.png` and `.DS_Store`, or inside `__MACOSX`."""
    return any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in path.parts)
