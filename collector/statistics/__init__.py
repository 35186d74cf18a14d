"""Arrays in, figures out: percentiles, intervals, correlation. It knows no file, process or request."""
