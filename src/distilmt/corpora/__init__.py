"""Sentence pairs: reading, cleaning, splitting, and where they can be had from."""
