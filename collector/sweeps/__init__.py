"""Figures against the rate: the points of a sweep and its knee."""
