"""One run: its processes, health check, warm-ups, targets, the run loop and the run folder."""
