"""The command line, one file a command. Only this package writes to the terminal.

Heavy modules are imported inside functions, so that help and errors appear at once.
"""

from distilmt.cli.main import main

__all__ = ["main"]
