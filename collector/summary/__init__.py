"""Every figure of a run from its records: times, SLO attainment, the verdict, and the shape of the JSON."""
