"""The embedded server: a model of a generation server, for demos and tests."""
