"""Statistics of arrays: percentiles, intervals, autocorrelation. It knows nothing of files, processes or requests."""
