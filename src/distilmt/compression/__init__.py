"""Smaller still: pruning, quantisation, shortlist."""
