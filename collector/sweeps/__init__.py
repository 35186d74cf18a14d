"""Figures by rate: the points of a sweep and its knee."""
