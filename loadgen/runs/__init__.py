"""One run: health check, process pool, warm-ups, SLO targets, run loop, run folder. Many runs are in sweeps/."""
