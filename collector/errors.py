"""The error of everything that reads a saved run: one line that names the file, the fault and the remedy."""


class RunError(Exception):
    """A run folder, or a file in it, cannot be used as asked."""

    exit_code = 2
