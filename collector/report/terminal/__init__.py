"""Reports and progress on a terminal."""
