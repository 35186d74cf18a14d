"""What `scripts/bench` does: measure in turns, take medians, print Markdown."""
