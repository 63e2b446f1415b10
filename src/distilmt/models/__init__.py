"""Architectures: shapes, initialization, forward pass."""
