"""Fuzzing with hypothesis: any input must give a result or a one-line error."""
