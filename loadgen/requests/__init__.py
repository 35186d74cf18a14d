"""Turns samples into bytes and bodies into replies: one file per endpoint."""
