"""What differs between two runs, or two sweeps, and how sure that is."""
