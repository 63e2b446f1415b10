"""Shapes of small models, and how they start."""
