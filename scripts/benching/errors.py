"""Errors of a measurement."""


class NoResultError(Exception):
    """A command under measurement gave no figures; the message has the command and its last line of output."""
