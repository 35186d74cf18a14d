"""Run folders: written as a run goes, read back long after, exported."""
