"""Compression of students: pruning, quantization, shortlist."""
