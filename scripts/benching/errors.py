"""What may go wrong while measuring."""


class NoResultError(Exception):
    """A command under measurement gave no figures; the message says which, and its last words."""
