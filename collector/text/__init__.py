"""Formatting of quantities, and of text from elsewhere, for people. It computes no figure."""
