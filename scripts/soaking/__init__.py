"""A long run with random faults: what must stay flat, and what must be explained."""
