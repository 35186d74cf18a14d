"""What every dialect of the simulated server shares: queue, service times, faults, media, the log of requests."""
