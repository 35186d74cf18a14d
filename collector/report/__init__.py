"""How a summary is shown: terminal, JSON, live progress."""
