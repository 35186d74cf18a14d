"""Fuzzing by hypothesis: whatever a user, a file or a server comes up with, there is a result or one line."""
