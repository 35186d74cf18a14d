"""The simulated server: speaks every dialect, spends time like a generator does, and stamps what it saw."""
