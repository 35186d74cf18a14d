"""Run folders: written during a run, read back later, exported."""
