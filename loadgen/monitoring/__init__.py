"""Observation during a run: scheduling stalls of the machine, metrics of the server. It sends no load."""
