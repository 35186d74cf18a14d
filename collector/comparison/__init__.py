"""Comparison of two runs, or of two sweeps: differences of figures with intervals."""
