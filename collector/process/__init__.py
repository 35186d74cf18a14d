"""The collector process: receives records, keeps live figures, computes the summary at the end of a run."""
