"""How often intervals cover the truth, by seeded simulation: `scripts/coverage`."""
