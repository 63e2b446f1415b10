"""Renderers: what a student of pictures perceives of a text.

A label belongs to a source text. A renderer turns the text into columns of pixels, and `frames` turns columns into what
an encoder reads, in training and in use.
"""
