"""Tries the command against real servers, or against the simulated server in their roles."""
