"""distilmt: distil a big translation model into a small fast one, and measure what was lost."""

__version__ = "0.1.0"
