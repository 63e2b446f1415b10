"""distilmt: distil a big translation model into a small fast one, and measure what was lost."""

import logging

__version__ = "0.1.0"

# The convention for libraries: messages go nowhere until the program that imports distilmt routes them.
logging.getLogger(__name__).addHandler(logging.NullHandler())
