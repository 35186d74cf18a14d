"""How often a search is right, and how long it takes: docs/search.md."""
