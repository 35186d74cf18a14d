"""Pieces that several backends share to build request bodies and to read answer bodies; no wire format of its own."""
