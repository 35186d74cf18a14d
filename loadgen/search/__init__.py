"""The search for the highest rate that meets a target: what a run shows, what decides, where to look next."""
