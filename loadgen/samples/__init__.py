"""Data sets: trace, vbench, random."""
