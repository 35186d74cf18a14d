"""The search for the highest rate that meets a target: one run's measurement, the sequential test, the next rate."""
