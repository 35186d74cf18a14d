"""Reports and progress as text for a terminal."""
