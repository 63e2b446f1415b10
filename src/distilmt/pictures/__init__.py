"""Whole pictures and PDFs: pages of pixels, their lines of text in reading order, and translations laid over them."""
