"""The benchmark of `scripts/bench`: interleaved rounds, medians, Markdown tables."""
