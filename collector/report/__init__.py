"""Reports of a run summary: terminal, JSON and HTML. Nothing is computed here."""
