"""Every figure of a run from its records: times, SLO attainment, verdict, and the types of the result JSON."""
