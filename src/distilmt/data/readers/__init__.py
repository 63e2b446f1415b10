"""Readers of corpora: one module per source or file format."""
