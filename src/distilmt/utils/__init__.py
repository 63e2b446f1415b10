"""Errors, files and run directories, progress, hardware, languages."""

import logging

# The convention for libraries: messages go nowhere until the program that imports distilmt routes them. This stands
# here, where every module that logs passes, and not in `distilmt` itself, which would take ten times as long to import.
logging.getLogger("distilmt").addHandler(logging.NullHandler())
