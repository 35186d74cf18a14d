"""What can be wrong with a saved run: one line that names the place and the fix."""


class RunError(Exception):
    """A run folder, or a file in it, that cannot be used as asked."""

    exit_code = 2
