"""API dialects of the simulated server, one file each: parsing and validation of requests, and their paths."""
