"""The simulated server: speaks the chat dialect, spends time like a generator does, and stamps what it saw."""
