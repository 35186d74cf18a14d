"""Many runs of one workload: the runner, the capacity estimate, the sweep over rates and its folder."""
