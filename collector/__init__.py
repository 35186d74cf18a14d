"""Owns what was measured: the record, the statistics and the reports. Knows nothing of how the load is made."""
