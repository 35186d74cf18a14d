"""Child processes: start, watch, stop. What they do is in the other folders."""
