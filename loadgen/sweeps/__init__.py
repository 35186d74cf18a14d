"""One workload at one rate after another: the runner, the sweep, its folder."""
