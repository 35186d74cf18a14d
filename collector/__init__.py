"""Records, statistics and reports of a run; independent of how the load is generated."""
